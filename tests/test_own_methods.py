"""A method from a folder outside the package: planned, trained, tested, labelling as any other; and wrong folders."""

import os
import re
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from fsar.errors import UserError
from fsar.methods import METHODS
from fsar.own_methods import VARIABLE, announce, own_folders
from tests.conftest import REPOSITORY
from tests.helpers.training import make_training_world, train
from tests.helpers.workflow import TABLE, copy_project, prepare_inputs, snakemake

DEALS = "results/statistics/over_deals.csv"
FOLDER = REPOSITORY / "tests/own/nearest_mean"
# What is tested of every method, and below: of this one, in a process that knows it.
TESTS = (
    "tests/test_own_methods.py",
    "tests/methods/test_records.py",
    "tests/evaluation/test_evaluation.py",
    "tests/predict/test_every_method_labels.py",
)


@pytest.mark.parametrize(
    ("name", "files", "problem"),
    [
        ("missing", None, "missing of a method of your own .* is not there"),
        ("empty", [], "has no record.py"),
        ("no-name", ["record.py"], "has a name that Python cannot import"),
        ("trx", ["record.py"], "has a name that is taken"),
        ("head", ["record.py"], "has a name that is taken"),
    ],
)
def test_folders_that_are_no_methods(name, files, problem, tmp_path, monkeypatch):
    folder = tmp_path / name
    if files is not None:
        folder.mkdir()
        for file in files:
            (folder / file).touch()
    monkeypatch.setenv(VARIABLE, str(folder))
    with pytest.raises(UserError, match=problem):
        own_folders()


def test_two_folders_of_one_name_and_one_named_twice(tmp_path, monkeypatch):
    folders = [tmp_path / place / "mine" for place in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "record.py").touch()
    monkeypatch.setenv(VARIABLE, "")
    announce([str(folders[0]), str(folders[0])])
    assert own_folders() == {"mine": folders[0]}
    announce(list(map(str, folders)))
    with pytest.raises(UserError, match="has a name that is taken"):
        own_folders()


def test_a_method_from_outside_is_planned_as_any_other(tmp_path):
    folder = copy_project(REPOSITORY, tmp_path / "project")
    values = {"own_methods": [str(FOLDER)], "run": {"methods": ["clip-freeze", "nearest-mean"]}}
    values["heads"] = {"nearest_mean": {"scale": 2.0}}

    def planned(**changed):
        (folder / "mine.yaml").write_text(yaml.safe_dump(values | changed))
        ok, files = "own_methods" not in changed, ("configs/tiny.yaml", "mine.yaml")
        return snakemake(folder, "--dry-run", "--configfile", *files, ok=ok, anew=True)

    output = planned()
    assert "results/models/tiny/small-clip/nearest-mean/shot1-seed1/model.safetensors" in output
    assert "is not there" in planned(own_methods=["nowhere"])
    output = planned(own_methods=[])
    assert "nearest-mean" in output and "Traceback" not in output


def test_heads_alone_are_planned_over_deals_of_own_clips(tmp_path):
    folder = copy_project(REPOSITORY, tmp_path / "project")
    prepare_inputs(folder)
    # In a directory of its own, which has the clips and their lists, and not the workflow's configs.
    study = tmp_path / "study"
    study.mkdir()
    (folder / "my_videos").rename(study / "my_videos")
    files = "--snakefile", str(folder / "Snakefile"), "--configfile", str(folder / "configs/motion_clips.yaml")
    output = snakemake(study, "--dry-run", TABLE, DEALS, *files, anew=True, project=folder)
    trained = set(re.findall(r"results/models/([\w-]+)/efficientnet-lite0/([\w-]+)/shot1", output))
    assert {"trx-alone", "trx-alone-motion", "trx-alone-moves"} < {model for _, model in trained}
    assert all(place.startswith("clips-without-5-") for place, _ in trained)
    assert (
        "rule write_over_deals" in output and output.count("features/clips/efficientnet-lite0/frozen/for_training") > 1
    )


@pytest.mark.skipif("nearest-mean" not in METHODS, reason="run by the test below, which names the folder")
def test_it_is_trained(tmp_path):
    files = train(make_training_world(tmp_path), "nearest-mean", model="nearest-mean")
    assert pd.read_parquet(files.output / "metrics.parquet")["val_accuracy"].notna().sum() == 3


@pytest.mark.slow
def test_what_is_tested_of_every_method_is_of_one_from_outside():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-x", *TESTS, "-k", "nearest-mean or it_is_trained"],
        cwd=REPOSITORY,
        env={**os.environ, VARIABLE: str(FOLDER)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0 and "skipped" not in run.stdout, run.stdout[-3000:]
    assert all(file in run.stdout for file in TESTS), run.stdout
