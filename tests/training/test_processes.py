"""Trainings in processes of their own: killed, and several that train as one."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tests.helpers.hold import PATIENCE, STEP, wait_until
from tests.helpers.training import encoded, results_of, train

# A program of its own: further processes of a training start the same program again.
RUN = """
import json, sys
from pathlib import Path
from fsar.job import logged
from tests.helpers.small_models import small_adapters, small_backbone, small_head, small_text
from tests.helpers.hold import hold_first_training
from tests.helpers.training import train

world, name, hold = Path(sys.argv[1]), sys.argv[2], sys.argv[4]
if hold:
    hold_first_training(world / name)
with logged(world / f"{name}.log"):
    train(world, name, **json.loads(sys.argv[3]))
"""


def program(world, repository, name, hold=False, **training):
    """Start a training as a program; with `hold` it waits at a step until it is ended, the first time."""
    (world / "run.py").write_text(RUN)
    return subprocess.Popen(
        [sys.executable, str(world / "run.py"), str(world), name, json.dumps(training), "hold" if hold else ""],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_kill_9_loses_at_most_the_last_steps(world, repository):
    long = {"iterations": 40, "validate_every": 1000}
    process = program(world, repository, "killed", hold=True, **long)
    wait_until((world / "killed/held").exists, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert (world / "checkpoints/killed.pt").exists() and not (world / "killed/model.safetensors").exists()
    process = program(world, repository, "killed", **long)
    assert process.wait(PATIENCE) == 0, process.stderr.read()
    train(world, "unharmed", **long)
    assert f"going on from step {STEP} " in (world / "killed.log").read_text()
    assert results_of(world / "killed") == results_of(world / "unharmed")


def test_two_processes_train_as_one(world, repository):
    """20 steps of four tasks, in one process and in two, to 1e-5; running statistics of BatchNorm included."""
    settings = {"iterations": 80, "tasks_per_step": 4, "validate_every": 40, "milestones": [60]}
    settings |= {"learning_rate": 2e-6, "warmup_from": 1e-7}  # those of UCF101; higher ones amplify rounding
    train(world, "one", **settings)
    process = program(world, repository, "two", devices=2, threads=2, **settings)
    assert process.wait(PATIENCE) == 0, process.stderr.read()
    one, two = (pd.read_parquet(world / name / "metrics.parquet") for name in ("one", "two"))
    assert len(one) == len(two) == 20
    for column in ("loss", "few_shot_loss", "video_text_loss"):
        np.testing.assert_allclose(two[column], one[column], rtol=1e-5, atol=1e-5, err_msg=column)
    np.testing.assert_allclose(two["gradient_norm"], one["gradient_norm"], rtol=1e-2)
    assert list(two["train_accuracy"]) == list(one["train_accuracy"])
    assert list(two["val_accuracy"].dropna()) == list(one["val_accuracy"].dropna())
    ours, theirs = (load_file(world / name / "model.safetensors") for name in ("one", "two"))
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, rtol=1e-3, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}")
    assert "going on" not in (world / "two.log").read_text() and "best on validation" in (world / "two.log").read_text()


@pytest.mark.slow
def test_two_processes_train_a_head_on_stored_features_as_one(world, repository):
    settings = {"iterations": 24, "tasks_per_step": 4, "validate_every": 12, "milestones": [20]}
    encoded(world, "head", "clip-fsar-head")
    settings |= {"model": "clip-fsar-head", "features": "head"}
    one = train(world, "one head", **settings).output
    process = program(world, repository, "two heads", devices=2, threads=2, **settings)
    assert process.wait(PATIENCE) == 0, process.stderr.read()
    assert json.loads((world / "two heads/training.json").read_text())["features"]["stored"]
    alone, together = (pd.read_parquet(own / "metrics.parquet") for own in (one, world / "two heads"))
    np.testing.assert_allclose(together["loss"], alone["loss"], rtol=1e-3)
    assert list(together["val_accuracy"].dropna()) == list(alone["val_accuracy"].dropna())


def test_a_step_of_few_tasks_leaves_devices_alone(world, caplog):
    """With four devices for one task a step is that of one, and the log says so."""
    settings = {"iterations": 4, "tasks_per_step": 1, "validate_every": 1000, "threads": 4}
    with caplog.at_level("INFO"):
        few = train(world, "few", devices=4, **settings).output
    assert "a step has 1 tasks, so that 1 of 4 devices are used" in caplog.text
    caplog.clear()
    one = train(world, "alone", **settings).output
    assert "devices are used" not in caplog.text
    assert results_of(few)[0] == results_of(one)[0] and results_of(few)[2] == results_of(one)[2]


@pytest.mark.slow
def test_two_processes_stop_and_go_on(world, repository):
    settings = {"iterations": 60, "tasks_per_step": 4, "validate_every": 1000, "devices": 2, "threads": 2}
    process = program(world, repository, "pair", hold=True, **settings)
    wait_until((world / "pair/held").exists, process)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert (world / "checkpoints/pair.pt").exists() and not (world / "pair/model.safetensors").exists()
    process = program(world, repository, "pair", **settings)
    assert process.wait(PATIENCE) == 0, process.stderr.read()
    assert f"going on from step {STEP} " in (world / "pair.log").read_text()
    assert list(pd.read_parquet(world / "pair/metrics.parquet")["iteration"]) == list(range(4, 61, 4))
