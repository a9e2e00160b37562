"""What stands beside the code for those who cite, join or list the project: read as those do who use it, and true."""

import re
import shutil
import subprocess
import tomllib

import pandas as pd
import pytest
import yaml

from fsar.methods.blocks.record import CLIP_FSAR_PAPER


@pytest.fixture
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


def targets(repository):
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), re.MULTILINE))


def test_citation(repository, project):
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # those that the format requires
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert all(set(author) == {"name"} for author in citation["authors"])  # an entity
    (paper,) = citation["references"]
    number = paper["identifiers"][0]["value"].replace(":", " ")
    assert number in CLIP_FSAR_PAPER and str(paper["year"]) in CLIP_FSAR_PAPER
    assert CLIP_FSAR_PAPER.startswith(paper["authors"][0]["family-names"])


def test_the_newest_changes_are_those_of_this_version(repository, project):
    newest = re.search(r"^## (\S+)", (repository / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest[1].rstrip(",") == project["version"]


def test_what_contributing_names_is_there(repository):
    text = (repository / "CONTRIBUTING.md").read_text()
    paths = {name for name in re.findall(r"`([^` ]+)`|\]\(([^)#]+)", text) for name in name if "/" in name}
    assert len(paths) > 15 and not [path for path in paths if not (repository / path).exists() and path != ".venv/"]
    assert set(re.findall(r"make ([a-z-]+)", text)) <= targets(repository)


def test_the_workflows_of_github_run_what_a_user_runs(repository, project):
    """On every supported platform, with the oldest and the newest Python, and no command that the Makefile lacks."""
    workflow = yaml.safe_load((repository / ".github/workflows/test.yml").read_text())
    newest = yaml.safe_load((repository / ".github/workflows/newest.yml").read_text())
    assert set(workflow) == {"name", "on", "permissions", "jobs"} and set(workflow["on"]) == {"push", "pull_request"}
    assert set(newest["on"]) == {"schedule", "workflow_dispatch"}
    commands = {name: commands_of(job) for name, job in {**workflow["jobs"], **newest["jobs"]}.items()}
    assert commands == {
        "test": ["make test", "make table"],
        "macos": ["make table", "make test-labels"],
        "lowest": ["make test-lowest"],
        "newest": ["pip install uv", "make requirements", "make test"],
    }
    named = {word.split()[1] for own in commands.values() for word in own if word.startswith("make ")}
    assert named <= targets(repository)
    assert re.search(r"^test:.* check$", (repository / "Makefile").read_text(), re.MULTILINE)
    jobs = workflow["jobs"]
    supported = [line.rpartition(" ")[2] for line in project["classifiers"] if ":: 3." in line]
    for name in ("test", "macos"):
        assert jobs[name]["strategy"]["matrix"]["python"] == [supported[0], supported[-1]]
    assert project["requires-python"] == f">={supported[0]}"
    assert jobs["test"]["strategy"]["matrix"]["os"] == ["ubuntu-latest", "ubuntu-24.04-arm"]
    assert jobs["macos"]["runs-on"] == "macos-14"
    assert all(job["timeout-minutes"] >= 30 for job in jobs.values())


def commands_of(job):
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")
def test_one_word_leaves_cuda_out(repository, tmp_path):
    """`TORCH=cpu` installs the pinned list but for PyTorch and CUDA, and PyTorch in the pinned version."""
    asked = ["make", "--dry-run", "--what-if=requirements.txt", "TORCH=cpu", ".venv/ready"]
    told = subprocess.run(asked, cwd=repository, capture_output=True, text=True, check=True).stdout.splitlines()
    (leave_out,) = [line for line in told if line.startswith("awk")]
    shutil.copy(repository / "requirements.txt", tmp_path)
    (tmp_path / ".venv").mkdir()
    subprocess.run(["sh", "-c", leave_out], cwd=tmp_path, check=True)
    names = {
        file: set(re.findall(r"^([\w.-]+)==", (tmp_path / file).read_text(), re.MULTILINE))
        for file in ("requirements.txt", ".venv/others.txt")
    }
    gone = names["requirements.txt"] - names[".venv/others.txt"]
    assert {"torch", "torchvision", "triton"} < gone
    assert all(name.startswith(("nvidia-", "cuda-")) for name in gone - {"torch", "torchvision", "triton"})
    hashes = (tmp_path / ".venv/others.txt").read_text().count("--hash")
    assert hashes > (tmp_path / "requirements.txt").read_text().count("--hash") * 0.8
    (torch,) = [line for line in told if "--torch-backend cpu" in line]
    wanted = re.search(r"\$\((grep .*)\)", torch)[1]
    pinned = subprocess.run(
        ["sh", "-c", wanted], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [line.partition("==")[0] for line in pinned] == ["torch", "torchvision"]


def test_the_catalog_is_told_what_the_rules_have(repository):
    usage = yaml.safe_load((repository / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    ways = usage["software-stack-deployment"]
    rules = [path.read_text() for path in sorted((repository / "rules").glob("*.smk"))]
    with_scripts = sum(text.count("script:") for text in rules)
    assert ways["conda"] == (sum(text.count("conda:") for text in rules) == with_scripts)
    assert ways["apptainer"] == ways["apptainer+conda"] == any("container:" in text for text in rules)
    assert ways["report"] == any("report(" in text for text in rules)


def test_the_workflow_asks_for_the_snakemake_that_the_package_asks_for(repository, project):
    packages = project["optional-dependencies"]["workflow"]
    (stated,) = [re.search(r">=([\d.]+)", line)[1] for line in packages if line.startswith("snakemake[")]
    assert f'min_version("{stated}")' in (repository / "Snakefile").read_text()


def test_messages_of_troubleshooting_are_those_of_the_code(repository):
    quoted = re.findall(r'"([^"]+)"', (repository / "docs/troubleshooting.md").read_text())
    parts = [part.strip() for message in quoted for part in message.split("…") if len(part.strip()) > 3]
    code = "".join(path.read_text() for path in (repository / "fsar").rglob("*.py"))
    assert len(parts) > 8 and [part for part in parts if part not in code] == []


def test_the_guide_of_hmdb51_has_the_published_figures(repository):
    published = pd.read_csv(repository / "fsar/results/published.csv")
    of = published[published["source"].str.startswith("CLIP-FSAR paper") & (published["benchmark"] == "hmdb51")]
    figures = of.set_index(["method", "backbone", "shot"])["accuracy"]
    text = (repository / "docs/hmdb51.md").read_text()
    columns = [(backbone, shot) for backbone in ("CLIP-RN50", "CLIP-ViT-B/16") for shot in (1, 5)]
    for method in ("CLIP-Freeze", "OTAM", "CLIP-FSAR", "CLIP-FSAR+text"):
        row = " | ".join([method, *(f"{figures[method, backbone, shot]:.1f}" for backbone, shot in columns)])
        assert f"| {row} |" in text
    zero = [figures[f"{name} zero-shot", backbone, 0] for backbone, _ in columns[::2] for name in ("CLIP", "CLIP-FSAR")]
    assert f"{zero[0]} for CLIP and {zero[1]} for CLIP-FSAR on RN50, and {zero[2]} and {zero[3]} on" in text


def test_the_navigation_of_the_site_has_every_page(repository):
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in pages(part)]

    listed = pages(yaml.safe_load((repository / "mkdocs.yml").read_text())["nav"])
    docs = repository / "docs"
    assert sorted(listed) == sorted(path.name for kind in ("*.md", "*.ipynb") for path in docs.glob(kind))
