"""What stands beside the code for those who cite, join or list the project: read as those do who use it, and true."""

import re
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


def test_the_workflow_of_github_runs_what_a_user_runs(repository, project):
    workflow = yaml.safe_load((repository / ".github/workflows/test.yml").read_text())
    assert set(workflow) == {"name", "on", "permissions", "jobs"} and set(workflow["on"]) == {"push", "pull_request"}
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["make test", "make table"] and {c.split()[1] for c in commands} <= targets(repository)
    assert re.search(r"^test:.* check$", (repository / "Makefile").read_text(), re.MULTILINE)
    (python,) = (step["with"]["python-version"] for step in job["steps"] if "python-version" in step.get("with", {}))
    assert project["requires-python"] == f">={python}"
    assert job["runs-on"].startswith("ubuntu") and job["timeout-minutes"] >= 30


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
