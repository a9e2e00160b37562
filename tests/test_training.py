"""Training: the schedule, the parameters, and going on after a stop."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from fsar.benchmarks.manifest import SCHEMA
from fsar.config import BackboneConfig, FramesConfig, HeadConfig, SamplingConfig, TrainingConfig
from fsar.episodes.stored import draw_episodes
from fsar.errors import UserError
from fsar.files import write_parquet
from fsar.model.few_shot import FewShotModel
from fsar.training.checkpoint import Checkpoints, fingerprint
from fsar.training.fit import TrainingData, TrainingJob, fit
from fsar.training.schedule import learning_rate
from fsar.videos.frame_store import gather_index, shard_name, write_shard
from tests.videos import make_video


def test_the_published_schedule():
    config = TrainingConfig()  # Kinetics: 5e-6 → 1e-5 over 250, milestones at 750 and 1250
    rates = [learning_rate(i, config) for i in (0, 125, 250, 749, 750, 1249, 1250, 4999)]
    np.testing.assert_allclose(rates, [5e-6, 7.5e-6, 1e-5, 1e-5, 1e-6, 1e-6, 1e-7, 1e-7])
    assert learning_rate(0, TrainingConfig(warmup_iterations=0)) == 1e-5


def test_fingerprints_tell_runs_apart(tmp_path):
    (tmp_path / "a").write_text("1")
    first = fingerprint({"x": 1}, [tmp_path / "a"])
    assert first == fingerprint({"x": 1}, [tmp_path / "a"]) != fingerprint({"x": 2}, [tmp_path / "a"])
    (tmp_path / "a").write_text("2")
    assert first != fingerprint({"x": 1}, [tmp_path / "a"])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A frame store of 8 classes × 4 videos, validation episodes, and random weights."""
    folder = tmp_path_factory.mktemp("world")
    rows = []
    for number in range(32):
        name = f"class {number // 4} ({number}).mp4"
        make_video(folder / name, 9)
        split = "train" if number < 16 else "val"
        rows.append((name, str(folder / name), f"class {number // 4}", split, "test"))
    write_parquet(folder / "manifest.parquet", pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)
    config = FramesConfig(size=72, shards=1)
    write_shard(folder / "manifest.parquet", 0, config, folder / shard_name(0), folder / "shard.parquet")
    gather_index(folder / "manifest.parquet", [folder / "shard.parquet"], 0.0, folder / "index.parquet")
    draw_episodes(folder / "manifest.parquet", folder / "index.parquet", "val", 3, 1, 1, 10, 0, folder / "val.parquet")
    torch.manual_seed(0)
    save_file(open_clip.create_model("small-clip", load_weights=False).state_dict(), folder / "clip.safetensors")
    return folder


def job_and_data(world, method="clip-fsar", **training):
    settings = {
        "way": 3, "queries": 1, "iterations": 12, "tasks_per_step": 2, "learning_rate": 1e-3, "warmup_from": 1e-4,
        "warmup_iterations": 4, "milestones": [8], "validate_every": 4, "checkpoint_every": 2, "threads": 1,
        "workers": 0,
    } | training  # fmt: skip
    job = TrainingJob(
        method=method,
        backbone=BackboneConfig(model="small-clip", weights=str(world / "clip.safetensors")),
        sampling=SamplingConfig(),
        head=HeadConfig(feed_forward=64),
        training=TrainingConfig(**settings),
        seed=1,
        data_seed=0,
        device="cpu",
    )
    return job, TrainingData(world / "manifest.parquet", world / "index.parquet", world, world / "val.parquet")


def files_of(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def uninterrupted(world):
    job, data = job_and_data(world)
    fit(job, data, world / "whole", world / "checkpoints", [])
    return world / "whole"


def test_outputs(uninterrupted, world):
    metrics = pd.read_parquet(uninterrupted / "metrics.parquet")
    assert list(metrics["iteration"]) == [2, 4, 6, 8, 10, 12]
    assert list(metrics["val_accuracy"].notna()) == [False, True, False, True, False, True]
    trained, before = load_file(uninterrupted / "model.safetensors"), load_file(world / "clip.safetensors")
    assert any(name.startswith("head.temporal_transformer") for name in trained)
    assert not torch.equal(trained["visual.conv1.weight"], before["visual.conv1.weight"])
    assert not any(name.startswith("transformer") for name in trained)  # the text encoder is not trained, nor stored
    assert not (world / "checkpoints").exists() or not any((world / "checkpoints").iterdir())


def test_the_same_run_gives_the_same_bytes(uninterrupted, world):
    job, data = job_and_data(world, workers=1, threads=2)
    fit(job, data, world / "again", world / "checkpoints", [])
    ours, again = (load_file(f / "model.safetensors") for f in (uninterrupted, world / "again"))
    assert all(torch.equal(ours[name], again[name]) for name in ours)  # however the episodes are loaded


def test_a_stopped_run_goes_on_to_the_same_bytes(uninterrupted, world, monkeypatch):
    job, data = job_and_data(world)
    forward, calls = FewShotModel.forward, []

    def stop_at_the_ninth_episode(self, *args):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return forward(self, *args)

    monkeypatch.setattr(FewShotModel, "forward", stop_at_the_ninth_episode)
    with pytest.raises(KeyboardInterrupt):
        fit(job, data, world / "stopped", world / "checkpoints", [])
    assert not (world / "stopped" / "model.safetensors").exists()
    calls.extend([1] * 100)
    before = len(calls)
    fit(job, data, world / "stopped", world / "checkpoints", [])
    assert len(calls) - before == 4  # only the four episodes after the checkpoint at eight
    assert files_of(world / "stopped") == files_of(uninterrupted)


RUN = """
import sys
from tests.test_training import job_and_data, fit
from pathlib import Path
world = Path(sys.argv[1])
job, data = job_and_data(world, iterations=int(sys.argv[2]), checkpoint_every=2, validate_every=1000)
fit(job, data, world / sys.argv[3], world / "checkpoints", [])
"""


def test_kill_9_loses_at_most_the_last_steps(world, repository):
    command = [sys.executable, "-c", RUN, str(world), "40", "killed"]
    process = subprocess.Popen(command, cwd=repository, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while (
        not list((world / "checkpoints").glob("*/last.pt")) and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list((world / "checkpoints").glob("*/last.pt")), "no checkpoint within two minutes"
    assert not (world / "killed" / "model.safetensors").exists(), "it finished before it was killed"
    for folder in ("killed", "unharmed"):
        subprocess.run([*command[:-1], folder], cwd=repository, check=True, stderr=subprocess.DEVNULL)
    assert files_of(world / "killed") == files_of(world / "unharmed")


def test_a_loss_that_is_not_finite_stops_with_the_place(world, monkeypatch):
    job, data = job_and_data(world, method="otam")
    forward, calls = FewShotModel.forward, []

    def diverge(self, *args):
        calls.append(1)
        losses = forward(self, *args)
        return losses._replace(total=losses.total * float("nan")) if len(calls) == 6 else losses

    monkeypatch.setattr(FewShotModel, "forward", diverge)
    with pytest.raises(UserError, match=r"(?s)no longer finite in step 2, episode 5.*class \d \(\d+\)\.mp4"):
        fit(job, data, world / "diverged", world / "checkpoints", [])
    saved = [Checkpoints(p.parent, p.name).load() for p in (world / "checkpoints").iterdir()]
    assert [state["step"] for state in saved] == [2]


def test_batch_norm_is_explicit(world):
    running = "visual.bn1.running_mean"
    before = load_file(world / "clip.safetensors")[running]
    for batch_norm, stays in (("running", True), ("batch", False)):
        job, data = job_and_data(world, batch_norm=batch_norm, iterations=2)
        fit(job, data, world / batch_norm, world / "checkpoints", [])
        after = load_file(world / batch_norm / "model.safetensors")[running]
        assert torch.equal(before, after) is stays


def test_every_method_that_is_trained_trains(world):
    job, data = job_and_data(world, method="otam", iterations=4)
    fit(job, data, world / "otam", world / "checkpoints-otam", [])
    trained = load_file(world / "otam" / "model.safetensors")
    assert not any(name.startswith("head.") for name in trained)
