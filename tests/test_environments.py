"""What gets installed: pinned, hashed, from wherever the user's pip looks, and the same in every environment."""

import ast
import re
import shutil
from pathlib import Path

import pytest
import yaml

from fsar.code_inputs import PACKAGE, code_inputs
from tests.workflow import copy_project, snakemake

# Import names that differ from the package's.
PACKAGES = {
    "open_clip": "open-clip-torch",
    "yaml": "pyyaml",
    "ffmpeg": "ffmpeg-python",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
}


def pinned(repository: Path) -> dict[str, str]:
    text = (repository / "requirements.txt").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def test_requirements_are_hashed_and_name_no_host(repository):
    text = (repository / "requirements.txt").read_text()
    assert "://" not in text and "--index-url" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(pinned(repository)) and all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("stage", ["data", "train", "results"])
def test_conda_environments_agree_with_the_pinned_list(repository, stage):
    environment = yaml.safe_load((repository / f"envs/{stage}.yaml").read_text())
    packages = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    versions = pinned(repository)
    assert packages and {p: versions[p.split("==")[0]] for p in packages} == {p: p.split("==")[1] for p in packages}


def test_every_rule_finds_its_imports_in_its_environment(repository):
    """Each script's imports, followed through the package, are in the environment its rule names."""
    for rules in (repository / "rules").glob("*.smk"):
        text = rules.read_text()
        pairs = re.findall(r'"\.\./envs/(\w+)\.yaml".*?"\.\./workflow_scripts/(\w+\.py)"', text, re.DOTALL)
        assert len(pairs) == text.count("script:")
        for stage, name in pairs:
            available = (repository / f"envs/{stage}.yaml").read_text()
            script = repository / "workflow_scripts" / name
            always = [PACKAGE / "config.py", PACKAGE / "job.py"]  # imported too, though no result depends on them
            if name == "draw_figure.py":  # which imports each figure by its name
                figures = list((PACKAGE / "results" / "figures").glob("*.py"))
                always += [*figures, *(Path(path) for figure in figures for path in code_inputs(figure))]
            for path in [script, *always, *map(Path, code_inputs(script))]:
                for module in imports(path):
                    package = PACKAGES.get(module, module.replace("_", "-"))
                    assert f"- {package}==" in available, f"{name} imports {module}; envs/{stage}.yaml lacks {package}"


def imports(path: Path) -> set[str]:
    """Return the third-party packages that a file imports when it is loaded."""
    import sys

    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return {name for name in names if name not in sys.stdlib_module_names and name != "fsar"}


def test_every_environment_that_a_rule_names_is_there(repository):
    named = set()
    for rules in (repository / "rules").glob("*.smk"):
        for path in re.findall(r'conda:\s+"([^"]+)"', rules.read_text()):
            named.add((rules.parent / path).resolve())
    assert named == set((repository / "envs").glob("*.yaml"))
    for path in named:
        environment = yaml.safe_load(path.read_text())
        assert {"channels", "dependencies"} == set(environment) and "pip" in environment["dependencies"]


@pytest.mark.skipif(shutil.which("conda") is None, reason="no conda on this machine; --use-conda plans nothing without")
def test_a_rule_runs_in_its_conda_environment(repository, tmp_path):
    folder = copy_project(repository, tmp_path / "project")
    assert "rule render_stills" in snakemake(folder, "--dry-run", "--use-conda", "--configfile", "configs/tiny.yaml")
    snakemake(folder, "data/small_clip/stills.parquet", "--use-conda", "--configfile", "configs/tiny.yaml")
    assert list((folder / ".snakemake/conda").glob("*/conda-meta"))
