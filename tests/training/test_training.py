"""Training: the schedule, the parameters, and going on after a stop."""

import copy
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils._python_dispatch import TorchDispatchMode

from fsar.config import BackboneConfig, FramesConfig, SamplingConfig, TrainingConfig
from fsar.episodes.draw import training_episode
from fsar.episodes.stored import draw_episodes, readable_videos
from fsar.errors import UserError
from fsar.evaluation import encode_videos as encode_module
from fsar.fabric import make_fabric
from fsar.files import write_parquet
from fsar.methods import MODELS
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs, TransformerSizes
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_clip
from fsar.sources.manifest import SCHEMA
from fsar.training import keep, loop
from fsar.training.batch_norm import RunningStatistics
from fsar.training.checkpoint import Checkpoint, identity
from fsar.training.data import TrainingEpisodes, load_episodes
from fsar.training.fit import fit
from fsar.training.job import TrainingFiles, TrainingJob
from fsar.training.metrics import MACHINE_COLUMNS
from fsar.training.optimizer import make_optimizer, parameter_groups
from fsar.training.schedule import learning_rate
from fsar.training.setup import set_up_model
from fsar.training.step import train_step
from fsar.training.texts import EpisodeTexts
from fsar.training.validation import Validation
from fsar.videos.shards import shard_name
from fsar.videos.store_index import gather_index
from fsar.videos.store_read import FrameStore
from fsar.videos.store_write import write_shard
from tests.helpers.hold import PATIENCE, STEP, wait_until
from tests.helpers.small_models import small_adapters, small_backbone, small_head, small_text
from tests.helpers.videos import make_video

# Of the small ViT CLIP.
SIZES = TransformerSizes(depth=6, width=96, heads=3, patches=16)


def test_the_published_schedule():
    config = TrainingConfig()  # Kinetics: 5e-6 → 1e-5 over 250, milestones at 750 and 1250
    rates = [learning_rate(i, config) for i in (0, 125, 250, 749, 750, 1249, 1250, 4999)]
    np.testing.assert_allclose(rates, [5e-6, 7.5e-6, 1e-5, 1e-5, 1e-6, 1e-6, 1e-7, 1e-7])
    assert learning_rate(0, TrainingConfig(warmup_iterations=0)) == 1e-5


def test_schedules_of_other_methods():
    plain = {"learning_rate": 1.0, "warmup_from": 0.0, "warmup_iterations": 0}
    stepped = TrainingConfig(milestones=[3, 5, 7], factors=[0.5, 0.1, 0.01], iterations=10, **plain)
    assert [learning_rate(i, stepped) for i in (0, 2, 3, 4, 5, 6, 7, 9)] == [1, 1, 0.5, 0.5, 0.1, 0.1, 0.01, 0.01]
    cosine = TrainingConfig(schedule="cosine", iterations=100, **plain)
    np.testing.assert_allclose([learning_rate(i, cosine) for i in (0, 25, 50, 100)], [1, 0.5 + 0.5**1.5, 0.5, 0])
    assert list(TrainingConfig(factors=[0.5]).problems()) == ["factors are 1, but milestones 2: one for each"]


def test_optimizers_of_other_methods():
    """One step from a gradient of 1, with weight decay: as each is defined."""

    def step(**config):
        parameter = torch.nn.Parameter(torch.tensor([2.0]))
        settings = TrainingConfig(learning_rate=0.1, warmup_from=0.0, **config)
        optimizer = make_optimizer([{"params": [parameter], "factor": 1.0, "weight_decay": 0.5}], settings)
        for _ in range(2):
            parameter.grad = torch.tensor([1.0])
            optimizer.step()
        return parameter.item()

    sgd = 2 - 0.1 * 2  # the gradient and half the weight
    assert step(optimizer="sgd") == pytest.approx(sgd - 0.1 * (1 + 0.5 * sgd))
    assert step(optimizer="sgd", momentum=0.9) == pytest.approx(sgd - 0.1 * (1 + 0.5 * sgd + 0.9 * 2))
    first = 2 - 0.1 * (2 + 0.9 * 2)
    assert step(optimizer="sgd", momentum=0.9, nesterov=True) == pytest.approx(
        first - 0.1 * (1 + 0.5 * first + 0.9 * (1 + 0.5 * first + 0.9 * 2))
    )
    assert step(optimizer="adam") == pytest.approx(1.8, abs=1e-3)  # a step is as long as the learning rate
    assert step(optimizer="adamw") == pytest.approx((2 * 0.95 - 0.1) * 0.95 - 0.1, abs=1e-6)
    assert step(optimizer="adam", epsilon=1e3) == pytest.approx(2, abs=1e-3)


def test_a_checkpoint_of_another_training_is_refused_with_the_difference(tmp_path):
    data = tmp_path / "data.parquet"
    data.write_text("1")

    def checkpoint(code="1", **training):
        job = TrainingConfig(**{"learning_rate": 1e-3, "warmup_from": 0.0} | training)
        settings = {"training": job.decisive("train_model"), "seed": 1}
        return Checkpoint(tmp_path / "last.pt", identity(settings, [data]), {"fit.py": code, "head.py": "1"})

    assert checkpoint().load() is None
    with checkpoint() as writing:
        writing.save({"step": 7, "other_code": []})
    assert checkpoint().load()["step"] == 7
    assert checkpoint(workers=4, threads=9, devices=2, checkpoint_minutes=3).load()["step"] == 7  # how it is run
    assert checkpoint(queries=5).load()["step"] == 7  # its default, said aloud
    with pytest.raises(
        UserError, match=r"(?s)last\.pt \(stopped at step 7\).*training\.learning_rate: 0\.001 then, 0\.5 now"
    ):
        checkpoint(learning_rate=0.5).load()
    data.write_text("2")
    with pytest.raises(UserError, match=r"data\.parquet: other contents"):
        checkpoint().load()
    (tmp_path / "last.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"cannot be read.*Delete it"):
        checkpoint().load()


def test_other_code_is_told_and_recorded(tmp_path, caplog):
    checkpoint = {code: Checkpoint(tmp_path / "last.pt", {}, {"fit.py": code, "head.py": "1"}) for code in "12"}
    checkpoint["1"].save({"step": 7, "other_code": []})
    checkpoint["1"].wait()
    assert checkpoint["1"].load()["other_code"] == [] and caplog.text == ""
    assert checkpoint["2"].load()["other_code"] == [{"step": 7, "files": ["fit.py"]}]
    assert "The code changed since step 7 of this training" in caplog.text and "fit.py" in caplog.text
    assert "head.py" not in caplog.text


def test_a_state_is_written_beside_the_training_that_changes_it(tmp_path, monkeypatch):
    save, go_on = torch.save, threading.Event()
    monkeypatch.setattr(torch, "save", lambda *arguments: (go_on.wait(), save(*arguments)))
    checkpoint, weights, moments = Checkpoint(tmp_path / "last.pt", {}, {}), torch.ones(3), [torch.ones(2)]
    checkpoint.save({"step": 1, "model": {"weight": weights}, "moments": moments, "other_code": []})
    weights.zero_()
    moments[0].zero_()
    moments.append(torch.ones(1))
    assert not checkpoint.path.exists()
    go_on.set()
    checkpoint.wait()
    state = checkpoint.load()
    assert state["model"]["weight"].tolist() == [1, 1, 1] and [m.tolist() for m in state["moments"]] == [[1, 1]]


@pytest.mark.parametrize("interrupted", ["in the middle", "before it is renamed"])
def test_a_write_that_is_interrupted_leaves_what_was_there(tmp_path, monkeypatch, interrupted):
    """Checkpoints, best weights and whatever else is written again: a reader never meets half of one."""
    checkpoint = Checkpoint(tmp_path / "last.pt", {}, {})
    checkpoint.save_best({"weight": torch.ones(2)}, 3)
    checkpoint.save({"step": 1, "best": {"iteration": 3}, "other_code": []})
    checkpoint.export_best(3, tmp_path / "model.safetensors")
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(kept) == {"last.pt", "last.best-3.safetensors", "model.safetensors"}

    def half(value, path, *_, **__):
        Path(path).write_bytes(b"half")
        raise OSError("interrupted")

    def refused(self, target):
        raise OSError("killed")

    if interrupted == "in the middle":
        monkeypatch.setattr(torch, "save", half)
        monkeypatch.setattr("fsar.model.trained_file.save_file", half)
        monkeypatch.setattr("shutil.copyfile", half)
    else:
        monkeypatch.setattr(Path, "replace", refused)
    for write in (
        lambda: checkpoint.save({"step": 2, "best": {"iteration": 3}, "other_code": []}),
        lambda: checkpoint.save_best({"weight": torch.zeros(2)}, 3),
        lambda: checkpoint.export_best(3, tmp_path / "model.safetensors"),
    ):
        with pytest.raises(OSError):
            write()
            checkpoint.wait()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    assert checkpoint.load()["step"] == 1


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    checkpoint = Checkpoint(tmp_path / "file/last.pt", {}, {})
    checkpoint.save({"step": 1})
    with pytest.raises(UserError, match="file is no folder"):
        checkpoint.save_best({"weight": torch.ones(1)}, 2)
    checkpoint.save({"step": 2})
    with pytest.raises(UserError, match="file is no folder"), checkpoint:
        pass


def test_a_state_and_its_best_weights_belong_together_whenever_a_process_ends(tmp_path):
    def state(step, best):
        return {"step": step, "best": {"iteration": best}, "other_code": []}

    def weights(value):
        return {"weight": torch.full((3,), value)}

    def after_a_crash():
        """What another process finds, and the best weights that belong to it."""
        found = Checkpoint(tmp_path / "last.pt", {}, {})
        best = found.load()["best"]["iteration"]
        found.export_best(best, tmp_path / "exported.safetensors")
        return best, load_file(tmp_path / "exported.safetensors")["weight"][0]

    checkpoint = Checkpoint(tmp_path / "last.pt", {}, {})
    (tmp_path / "last.best-99.safetensors").touch()  # of a training whose checkpoint was deleted
    checkpoint.save_best(weights(4.0), 4)
    checkpoint.save(state(2, 4))
    checkpoint.wait()
    assert after_a_crash() == (4, 4.0)
    checkpoint.save_best(weights(8.0), 8)
    checkpoint.wait()
    assert after_a_crash() == (4, 4.0)
    checkpoint.save(state(4, 8))
    checkpoint.wait()
    assert after_a_crash() == (8, 8.0)
    (tmp_path / "exported.safetensors").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.best-8.safetensors", "last.pt"]
    (tmp_path / "last.best-8.safetensors").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"last\.best-8\.safetensors, the best weights .* are missing"):
        checkpoint.load()
    (tmp_path / "elsewhere").rename(tmp_path / "last.best-8.safetensors")
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A frame store of 8 classes × 4 videos, validation episodes, and random weights."""
    folder = tmp_path_factory.mktemp("world")
    rows = []
    for number in range(32):
        name = f"class {number // 4} ({number}).mp4"
        make_video(folder / name, 9)
        split = "train" if number < 16 else "val"
        rows.append((name, str(folder / name), f"class {number // 4}", split, "test", ""))
    write_parquet(folder / "manifest.parquet", pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)
    config = FramesConfig(size=72, shards=1)
    write_shard(
        pd.read_parquet(folder / "manifest.parquet"), 0, config, folder / shard_name(0), folder / "shard.parquet"
    )
    gather_index(folder / "manifest.parquet", [folder / "shard.parquet"], 0.0, folder / "index.parquet")
    draw_episodes(folder / "manifest.parquet", folder / "index.parquet", "val", 3, 1, 1, 10, 0, folder / "val.parquet")
    torch.manual_seed(0)
    for name in ("small-clip", "small-vit-clip"):
        save_file(random_clip(name).state_dict(), folder / f"{name}.safetensors")
    return folder


def job_and_files(world, name, model="clip-fsar", **training):
    """A small training job, and its files with the outputs in the folder `name`."""
    settings = {
        "way": 3, "queries": 1, "iterations": 12, "tasks_per_step": 2, "learning_rate": 1e-3, "warmup_from": 1e-4,
        "warmup_iterations": 4, "milestones": [8], "validate_every": 4, "checkpoint_minutes": 0, "threads": 1,
        "workers": 0,
    } | training  # fmt: skip
    parts = MODELS[model]
    backbone = small_backbone(parts)
    job = TrainingJob(
        model=model,
        benchmark="small",
        backbone_name=backbone,
        components=parts,
        backbone=BackboneConfig(model=backbone, weights=str(world / f"{backbone}.safetensors")),
        sampling=SamplingConfig(),
        text=small_text(parts),
        head=small_head(parts),
        adapters=small_adapters(parts),
        training=TrainingConfig(**settings),
        training_seed=1,
        seed=0,
        device="cpu",
    )
    files = TrainingFiles(
        manifest=world / "manifest.parquet",
        index=world / "index.parquet",
        episodes=world / "val.parquet",
        decisive=[world / "manifest.parquet"],
        code={"fsar/training/fit.py": "1"},
        output=world / name,
        checkpoint=world / "checkpoints" / f"{name}.pt",
        curves=world / "tensorboard" / name,
    )
    return job, files


def train(world, name, model="clip-fsar", **training):
    """Train into the folder `name` and return the files there."""
    job, files = job_and_files(world, name, model, **training)
    fit(job, files)
    return files


def results_of(folder):
    """What a training leaves, without what only tells of the machine."""
    metrics = pd.read_parquet(folder / "metrics.parquet").drop(columns=MACHINE_COLUMNS)
    return (folder / "model.safetensors").read_bytes(), (folder / "training.json").read_bytes(), metrics.to_json()


@pytest.fixture(scope="module")
def uninterrupted(world):
    return train(world, "whole").output


def test_outputs(uninterrupted, world):
    metrics = pd.read_parquet(uninterrupted / "metrics.parquet")
    assert list(metrics["iteration"]) == [2, 4, 6, 8, 10, 12]
    assert list(metrics["val_accuracy"].notna()) == [False, True, False, True, False, True]
    assert (metrics["gradient_norm"] > 0).all() and (metrics["episodes_per_second"] > 0).all()
    seconds = 2 / metrics["episodes_per_second"]  # of a step of two tasks
    assert (metrics["loader_seconds"] > 0).all() and (metrics["loader_seconds"] < seconds).all()
    assert metrics["gpu_memory_mb"].isna().all() and metrics["loss"].gt(metrics["few_shot_loss"]).all()
    trained, before = load_file(uninterrupted / "model.safetensors"), load_file(world / "small-clip.safetensors")
    assert any(name.startswith("head.temporal_transformer") for name in trained)
    assert not torch.equal(trained["visual.conv1.weight"], before["visual.conv1.weight"])
    assert not any(name.startswith("transformer") for name in trained)  # the text encoder is not trained, nor stored
    assert not (world / "checkpoints" / "whole.pt").exists()
    about = json.loads((uninterrupted / "training.json").read_text())
    assert about["videos"] == {split: {"classes": 4, "videos": 16} for split in ("train", "val")}
    assert about["environment"]["torch"] and about["selection"]["iteration"] in (4, 8, 12)


def test_of_equal_validations_the_first_is_kept(world, monkeypatch):
    """Ties choose the earlier weights, and a later better one is taken."""
    for found, best in (([0.5, 0.5, 0.5], 4), ([0.5, 0.6, 0.6], 8), ([0.4, 0.3, 0.5], 12)):
        rest = itertools.chain(found, [0.0])
        monkeypatch.setattr(Validation, "accuracy", lambda *_, rest=rest: next(rest))
        files = train(world, f"ties {best}")
        about = json.loads((files.output / "training.json").read_text())["selection"]
        assert (about["iteration"], about["accuracy"]) == (best, max(found))
        if best == 4:
            weights = load_file(files.output / "model.safetensors")
            first = train(world, "four", iterations=4)
            assert all(
                torch.equal(weights[name], own) for name, own in load_file(first.output / "model.safetensors").items()
            )


# Which parts of a model are trained, and have a gradient and a place in the optimizer.
PARTS = {
    "clip-fsar": {"visual", "head"},
    "clip-fsar-text-encoder": {"visual", "text", "head"},
    "clip-fsar-head": {"head"},
    "otam": {"visual"},
    "task-adapter": {"adapters"},
    "otam-lora": {"adapters"},
    "emp-net": {"head"},
    "molo": {"visual", "head"},
}


@pytest.mark.parametrize("model", PARTS)
def test_what_is_trained_is_what_the_record_says(world, model):
    job, _ = job_and_files(world, "parts", model, weight_decay=0.25, head_learning_rate_factor=2.0)
    wrapped, optimizer = set_up_model(job, load_backbone(job.backbone), 4, make_fabric("cpu", "fp32"))

    def part(name):
        where = {"head": "head", "backbone.adapters": "adapters", "backbone.encoders.visual": "visual"}
        return next((own for start, own in where.items() if name.startswith(start)), "text")

    parameters = {name: p for name, p in wrapped.module.named_parameters() if p.requires_grad}
    assert {part(name) for name in parameters} == PARTS[model]
    held = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert set(held) == {id(p) for p in parameters.values()}
    factors = {id(p): group["factor"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in parameters.items():
        assert factors[id(parameter)] == (2.0 if part(name) == "head" else 1.0), name
    # Of encoders those named so are spared; of the rest normalisation layers.
    encoders = {name: p for name, p in parameters.items() if part(name) in ("visual", "text")}
    for name, parameter in encoders.items():
        assert held[id(parameter)] == (0.0 if "bn" in name or "norm" in name else 0.25), name
    modules = dict(wrapped.module.named_modules())
    for name in parameters.keys() - encoders.keys():
        spared = isinstance(modules[name.rpartition(".")[0]], (torch.nn.LayerNorm, torch.nn.BatchNorm2d))
        assert held[id(parameters[name])] == (0.0 if spared else 0.25), name


def test_layers_named_norm_are_spared_as_those_named_bn():
    """Of encoders by name, wherever it stands in it."""
    encoder = torch.nn.ModuleDict(
        {
            "norm": torch.nn.Linear(2, 2),
            "layer": torch.nn.ModuleDict({"bn1": torch.nn.Linear(2, 2)}),
            "ln_1": torch.nn.LayerNorm(2),
        }
    )
    model = SimpleNamespace(
        backbone=SimpleNamespace(encoders=encoder, adapters=None),
        head=build_head(MODELS["otam"], Inputs(8, 2), small_head(MODELS["otam"])),
    )
    groups = parameter_groups(model, TrainingConfig(weight_decay=0.5))
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    found = {name: decay[id(p)] for name, p in encoder.named_parameters() if name.endswith("weight")}
    assert found == {"norm.weight": 0.0, "layer.bn1.weight": 0.0, "ln_1.weight": 0.5}


def test_a_step_has_the_rate_of_its_last_episode(uninterrupted, world):
    metrics = pd.read_parquet(uninterrupted / "metrics.parquet")
    config = job_and_files(world, "whole")[0].training
    expected = [learning_rate(iteration - 1, config) for iteration in (2, 4, 6, 8, 10, 12)]
    np.testing.assert_allclose(metrics["learning_rate"], expected)
    assert len(set(expected)) > 3


def test_the_gradient_of_a_step_is_the_mean_of_its_episodes(world):
    """Not their sum, which Adam would hide; and each episode has the dropout of its number, wherever it stands."""

    def gradient(*numbers):
        job, files = job_and_files(world, "mean", tasks_per_step=len(numbers))
        torch.manual_seed(0)
        fabric = make_fabric("cpu", "fp32")
        wrapped, optimizer = set_up_model(job, load_backbone(job.backbone), 4, fabric)
        videos = readable_videos(files.manifest, files.index, "train")
        store = FrameStore(files.index.parent, files.index)
        episodes = TrainingEpisodes(store, videos, job.training, job.sampling, wrapped.module.backbone.image_size, 1)
        names = list(episodes.sampler.class_names)
        EpisodeTexts(wrapped.module, job.text, names, names)
        outcomes, norm, _ = train_step(
            fabric, wrapped, optimizer, (episodes[number] for number in numbers), job.training, job.training_seed
        )
        found = torch.cat([p.grad.flatten() for p in wrapped.module.parameters() if p.grad is not None])
        assert norm == pytest.approx(found.norm().item(), rel=1e-4)
        return outcomes, found

    both, together = gradient(3, 5)
    (one, first), (other, second) = gradient(3), gradient(5)
    torch.testing.assert_close(both, torch.cat([one, other]))
    torch.testing.assert_close(together, (first + second) / 2, rtol=1e-3, atol=1e-5 * together.abs().max().item())
    assert (first - second).abs().max() > 1e-2 * together.abs().max()


def test_training_draws_where_a_span_lies(world):
    job, files = job_and_files(world, "span")
    videos = readable_videos(files.manifest, files.index, "train")
    sampling = job.sampling.model_copy(update={"strategy": "span"})
    store = FrameStore(files.index.parent, files.index)
    episodes = TrainingEpisodes(store, videos, job.training, sampling, 64, 1)
    drawn = {tuple(episodes.draw_clip(0, np.random.default_rng(seed))[0]) for seed in range(20)}
    assert len(drawn) > 1


def test_a_validation_is_due_when_a_step_passes_its_place():
    """Steps of four episodes, validations every six: the first step at or after each multiple."""
    due = [loop._due(iteration, 6, 4) for iteration in range(4, 28, 4)]
    assert due == [False, True, True, False, True, True]


def test_curves_for_tensorboard(uninterrupted, world):
    events = EventAccumulator(str(world / "tensorboard" / "whole")).Reload()
    assert {"loss", "few_shot_loss", "learning_rate", "val_accuracy"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("val_accuracy")] == [4, 8, 12]


def test_the_same_run_gives_the_same_bytes(uninterrupted, world):
    train(world, "again", workers=1, threads=2, deterministic=False)
    ours, again = (load_file(f / "model.safetensors") for f in (uninterrupted, world / "again"))
    # However the episodes are loaded; and a CPU computes them in one way.
    assert all(torch.equal(ours[name], again[name]) for name in ours)


def test_a_stopped_run_goes_on_to_the_same_bytes(uninterrupted, world, monkeypatch):
    forward, calls = FewShotModel.forward, []

    def stop_at_the_ninth_episode(self, *args):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return forward(self, *args)

    monkeypatch.setattr(FewShotModel, "forward", stop_at_the_ninth_episode)
    with pytest.raises(KeyboardInterrupt):
        train(world, "stopped")
    assert not (world / "stopped" / "model.safetensors").exists()
    with pytest.raises(UserError, match=r"training\.learning_rate: 0\.001 then, 0\.002 now"):
        train(world, "stopped", learning_rate=2e-3)
    calls.extend([1] * 100)
    before = len(calls)
    train(world, "stopped")
    assert len(calls) - before == 4  # only the four episodes after the checkpoint at eight
    assert results_of(world / "stopped") == results_of(uninterrupted)
    events = EventAccumulator(str(world / "tensorboard" / "stopped")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [2, 4, 6, 8, 10, 12]


def test_a_run_stopped_between_its_best_weights_and_the_state_goes_on_to_the_same_bytes(world, monkeypatch):
    accuracies, save_best = [0.5, 0.6, 0.7], Checkpoint.save_best

    def stop_at_the_second(self, weights, iteration):
        save_best(self, weights, iteration)
        if iteration == 8 and len(accuracies) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Validation, "accuracy", lambda *_: accuracies.pop(0))
    whole = train(world, "improving").output
    monkeypatch.setattr(Checkpoint, "save_best", stop_at_the_second)
    accuracies[:] = [0.5, 0.6, 0.7]
    with pytest.raises(KeyboardInterrupt):
        train(world, "torn")
    files = {path.name for path in (world / "checkpoints").iterdir() if path.name.startswith("torn")}
    assert files == {"torn.pt", "torn.best-4.safetensors", "torn.best-8.safetensors"}
    monkeypatch.setattr(Checkpoint, "save_best", save_best)
    accuracies[:] = [0.6, 0.7]
    train(world, "torn")
    assert results_of(world / "torn") == results_of(whole) and accuracies == []
    assert not [path for path in (world / "checkpoints").iterdir() if path.name.startswith("torn")]


@pytest.mark.parametrize(("minutes", "steps"), [(0, [1, 2, 3, 4, 5]), (2.5, [3]), (60, [])])
def test_checkpoints_come_by_time(world, monkeypatch, minutes, steps):
    """Of six steps, here of a minute each."""
    saved, now, step = [], [0.0], loop.train_step

    def minute(*arguments):
        now[0] += 60
        return step(*arguments)

    monkeypatch.setattr(loop, "train_step", minute)
    monkeypatch.setattr(keep, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(Checkpoint, "save", lambda _, state: saved.append(state["step"]))
    train(world, f"every {minutes} minutes", checkpoint_minutes=minutes, way=2, iterations=6, tasks_per_step=1)
    assert saved == steps


def test_validation_loads_its_videos_by_one_loader(world, monkeypatch):
    made, loader = [], encode_module.DataLoader
    monkeypatch.setattr(encode_module, "DataLoader", lambda *a, **k: made.append(loader(*a, **k)) or made[-1])
    encode, modes = FewShotModel.encode, []
    monkeypatch.setattr(
        FewShotModel, "encode", lambda self, videos: modes.append(self.training) or encode(self, videos)
    )
    short = {"way": 2, "iterations": 2, "tasks_per_step": 1, "validate_every": 1}
    files = train(world, "one loader", workers=1, threads=2, **short)
    assert pd.read_parquet(files.output / "metrics.parquet")["val_accuracy"].notna().sum() == 2
    assert modes and not any(modes)  # it decides as the tests do: without dropout, by running statistics
    assert len(made) == 1 and made[0].persistent_workers and not made[0].pin_memory
    store = FrameStore(world, world / "index.parquet")
    on_a_gpu = encode_module.load_clips(store, [], SamplingConfig(), 64, 0, torch.device("cuda"), 1)
    assert on_a_gpu.pin_memory


# A program of its own: further processes of a training start the same program again.
RUN = """
import json, sys
from pathlib import Path
from fsar.job import logged
from tests.helpers.small_models import small_adapters, small_backbone, small_head, small_text
from tests.helpers.hold import hold_first_training
from tests.training.test_training import train

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


def test_kill_9_loses_at_most_the_last_steps(world, repository):
    long = {"iterations": 40, "validate_every": 1000}
    process = program(world, repository, "killed", hold=True, **long)
    wait_until((world / "killed/held").exists, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert (world / "checkpoints/killed.pt").exists() and not (world / "killed/model.safetensors").exists()
    for name in ("killed", "unharmed"):
        process = program(world, repository, name, **long)
        assert process.wait(PATIENCE) == 0, process.stderr.read()
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


def test_a_loss_that_is_not_finite_stops_with_the_place(world, monkeypatch):
    forward, calls = FewShotModel.forward, []

    def diverge(self, *args):
        calls.append(1)
        losses = forward(self, *args)
        return losses._replace(total=losses.total * float("nan")) if len(calls) == 6 else losses

    monkeypatch.setattr(FewShotModel, "forward", diverge)
    expected = r"(?s)stopped in step 2: the loss of episode 5 is not finite.*delete that file.*class \d \(\d+\)\.mp4"
    with pytest.raises(UserError, match=expected) as told:
        train(world, "diverged")
    job, files = job_and_files(world, "diverged")
    state = Checkpoint(files.checkpoint, identity(job.identity(), files.decisive), files.code).load()
    assert state["step"] == 2 and all(torch.isfinite(v).all() for v in state["model"].values())
    listed = [line.removeprefix("  - ") for line in str(told.value).splitlines() if line.startswith("  - ")]
    store = FrameStore(world, world / "index.parquet")
    episodes = TrainingEpisodes(store, pd.read_parquet(world / "manifest.parquet").query("split == 'train'"),
                                job.training, job.sampling, 64, job.training_seed)  # fmt: skip
    assert listed == episodes.video_ids_of(5) and len(listed) == 6


def test_what_is_not_deterministic_is_an_error_that_names_the_key(world, monkeypatch):
    forward = FewShotModel.forward

    def chance(self, *arguments):
        torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))  # which has no such form on any device
        return forward(self, *arguments)

    monkeypatch.setattr(FewShotModel, "forward", chance)
    short = {"way": 2, "iterations": 1, "tasks_per_step": 1}
    with pytest.raises(UserError, match=r"put_ cannot be computed .* Set training\.deterministic to false"):
        train(world, "by chance", **short)
    train(world, "by chance", deterministic=False, **short)


def test_too_little_shared_memory_is_told_with_its_key(world, monkeypatch):
    def full(_):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.UntypedStorage, "_new_shared", full)  # loader processes are forks of this one
    with pytest.raises(UserError, match=r"/dev/shm.*--shm-size.*set training\.workers to 0"):
        train(world, "little memory", workers=1, threads=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_processes_give_the_same_episodes(world, workers):
    """In order, pixel for pixel, though their memory is used again and again."""
    job, _ = job_and_files(world, "loader", flip=True, colour_jitter=True, iterations=24)
    store = FrameStore(world, world / "index.parquet")
    videos = pd.read_parquet(world / "manifest.parquet").query("split == 'train'")
    episodes = TrainingEpisodes(store, videos, job.training, job.sampling, 64, job.training_seed)
    numbers = range(3, 24)
    for number, batch in zip(numbers, load_episodes(episodes, numbers, workers), strict=True):
        expected = episodes[number]
        assert batch.number == number and torch.equal(batch.classes, expected.classes)
        assert torch.equal(batch.videos, expected.videos)


@pytest.mark.parametrize("flipped", [True, False])
def test_only_queries_are_mirrored_and_only_where_the_config_says_so(world, flipped):
    job, _ = job_and_files(world, "mirrored", flip=flipped, iterations=6)
    store = FrameStore(world, world / "index.parquet")
    videos = pd.read_parquet(world / "manifest.parquet").query("split == 'train'")
    episodes = TrainingEpisodes(store, videos, job.training, job.sampling, 64, job.training_seed)
    mirrored = 0
    for number in range(6):
        episode, rng = training_episode(episodes.sampler, job.training_seed, number)
        for place, (video, clip) in enumerate(zip(episodes.videos_of(episode), episodes[number].videos, strict=True)):
            positions, (top, left) = episodes.draw_clip(video, rng)
            plain = torch.from_numpy(store.frames(video, positions)[:, top : top + 64, left : left + 64])
            is_query = place >= episode.support.size
            turned = is_query and flipped and rng.random() < 0.5
            assert torch.equal(clip, plain.flip(2) if turned else plain)
            mirrored += turned
    assert (mirrored > 0) is flipped


def test_a_gradient_that_is_not_finite_stops_before_the_weights_are_changed(world, monkeypatch):
    forward, calls = FewShotModel.forward, []

    def overflow(self, *args):
        calls.append(1)
        losses = forward(self, *args)
        if len(calls) < 5:
            return losses
        zero = sum(p.sum() for p in self.head.parameters()) * 0
        return losses._replace(total=losses.total + zero.abs().sqrt())  # 0, but its derivative is not a number

    monkeypatch.setattr(FewShotModel, "forward", overflow)
    with pytest.raises(UserError, match="step 2: the losses of episodes 4 to 5 are finite, but their gradient is not"):
        train(world, "steep")
    state = torch.load(world / "checkpoints/steep.pt", weights_only=True)
    assert all(torch.isfinite(v).all() for v in state["model"].values())


def test_batch_norm_is_explicit(world):
    running = "visual.bn1.running_mean"
    before = load_file(world / "small-clip.safetensors")[running]
    for batch_norm, stays in (("running", True), ("together", False), ("apart", False)):
        files = train(world, batch_norm, batch_norm=batch_norm, iterations=2)
        after = load_file(files.output / "model.safetensors")[running]
        assert torch.equal(before, after) is stays


@pytest.mark.parametrize("calls", [1, 2])
def test_running_statistics_are_those_of_tasks_one_after_the_other(calls):
    """With as many calls for each task, and other momenta in each layer."""
    torch.manual_seed(0)
    tasks = [torch.randn(6, 3, 4, 4) * (1 + i) for i in range(4)]
    layers = [torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.BatchNorm2d(3, momentum=0.3)]
    plain = torch.nn.Sequential(*layers, torch.nn.BatchNorm2d(3, track_running_stats=False)).train()
    ours = copy.deepcopy(plain)
    ours.append(torch.nn.BatchNorm1d(5))  # which no task calls

    def run(model, task):
        for part in task.chunk(calls):
            model[:4](part)

    followed = RunningStatistics(ours)
    for place, task in enumerate(tasks):
        run(plain, task)
        followed.before_task()
        run(ours, task)
        followed.after_task(place, len(tasks))
        run(ours, task)  # as when activations are computed again
    followed.finish(make_fabric("cpu", "tf32"), len(tasks))
    assert ours[0].num_batches_tracked == 4 * calls and ours[4].num_batches_tracked == 0
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    assert torch.equal(ours[4].running_var, torch.ones(5))
    followed = RunningStatistics(ours)
    followed.before_task()
    run(ours, tasks[0] * float("nan"))
    followed.restore()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


def test_running_statistics_wait_for_no_gpu():
    """Nothing is read back between the first and the last task of a step."""

    class Reads(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            read.append(function is torch.ops.aten._local_scalar_dense.default)
            return function(*args, **(kwargs or {}))

    read = []
    model = torch.nn.Sequential(*(torch.nn.BatchNorm2d(3) for _ in range(3))).train()
    followed = RunningStatistics(model)
    with Reads():
        for place in range(2):
            followed.before_task()
            model(torch.ones(2, 3, 4, 4))
            followed.after_task(place, 2)
        followed.finish(make_fabric("cpu", "tf32"), 2)
    assert len(read) > 20 and not any(read)
    with Reads():
        followed.sums[0].item()
    assert read[-1]  # as it would be seen


TRAINED = [model for model, components in MODELS.items() if components.trained]
# One of each head and each kind of adapter.
FIRST = list({(MODELS[m].head, MODELS[m].adapters): m for m in reversed(TRAINED)}.values())


@pytest.mark.parametrize("models", [FIRST, pytest.param(TRAINED, marks=pytest.mark.slow)], ids=["first", "all"])
def test_every_model_that_is_trained_trains_what_it_has(world, models):
    """The parts of each model's head, and first losses that no other model has: same episodes, same weights."""
    losses = {}
    for model in models:
        components = MODELS[model]
        files = train(world, f"{len(models)} {model}", model, iterations=2)
        trained = load_file(files.output / "model.safetensors")
        metrics = pd.read_parquet(files.output / "metrics.parquet")
        assert metrics["gradient_norm"].gt(0).all()
        assert any(name.startswith("visual.") for name in trained) == (components.trains == "encoder")
        found = {name.split(".")[1] for name in trained if name.startswith("head.")}
        assert any(name.startswith("text.") for name in trained) == components.trains_text
        assert any(name.startswith("adapters.") for name in trained) == bool(components.adapters)
        head = build_head(components, Inputs(96, 8, transformer=SIZES), small_head(components))
        assert found == {name.split(".")[0] for name in head.state_dict()} - {"for_training"}, model
        terms = [name for name in metrics if name.endswith("_loss")]
        assert metrics[terms].gt(0).all(axis=None), model
        losses[model] = tuple(metrics.loc[0, terms])
    # Whether a text encoder is trained shows in the second step alone; what LoRA adds is zero at the first.
    for model in ("clip-fsar-text-encoder", "otam-lora"):
        losses.pop(model, None)
    alike = {model for model, terms in losses.items() if list(losses.values()).count(terms) > 1}
    assert len(losses) > 10 and alike == set(), losses


def test_lower_precision_is_close_and_goes_on(world, uninterrupted, monkeypatch):
    precision = "bf16-mixed"
    exact = pd.read_parquet(uninterrupted / "metrics.parquet")
    name = "bf16"
    saves, save = [], Checkpoint.save

    def stop_after_the_third(self, state):
        save(self, state)
        saves.append(state["step"])
        if len(saves) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", stop_after_the_third)
    with pytest.raises(KeyboardInterrupt):
        train(world, name, precision=precision)
    train(world, name, precision=precision)
    rough = pd.read_parquet(world / name / "metrics.parquet")
    assert list(rough["iteration"]) == list(exact["iteration"])
    assert rough["loss"][0] == pytest.approx(exact["loss"][0], rel=0.05)
    assert np.isfinite(rough["loss"]).all()


def test_16_bits_scale_the_loss_and_leave_out_steps_that_overflow(world, monkeypatch):
    """The first scale of 2¹⁶ is too much for these weights: until it fits, it is halved and nothing is trained."""
    save, states = Checkpoint.save, {}

    def keep(self, state):
        save(self, state)
        self.wait()
        states[state["step"]] = self.load()
        if stop == state["step"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", keep)
    settings, stop = (
        {"way": 2, "iterations": 7, "tasks_per_step": 1, "validate_every": 1000, "precision": "16-mixed"},
        0,
    )
    whole = train(world, "16 bits", **settings).output
    metrics = pd.read_parquet(whole / "metrics.parquet")
    finite = np.isfinite(metrics["gradient_norm"])
    scale, weights = 2.0**16, load_file(world / "small-clip.safetensors")["visual.conv1.weight"]
    for step, state in states.items():
        scale *= 1 if finite[step - 1] else 0.5
        trained = state["model"]["visual.conv1.weight"]
        assert state["precision"]["scale"] == scale and torch.equal(trained, weights) is not finite[step - 1]
        weights = trained
    first = finite.argmax()
    assert 0 < first < 5 and np.isfinite(metrics["loss"]).all() and len(states) == 6
    # Losses and gradients of the first step that counts, unscaled, are those of 32 bits with the same weights.
    settings |= {"learning_rate": 1e-12, "warmup_from": 0.0, "iterations": int(first) + 1, "precision": "32-true"}
    exact = pd.read_parquet(train(world, "32 bits", **settings).output / "metrics.parquet")
    for column, tolerance in (("loss", 0.05), ("gradient_norm", 0.1)):
        assert metrics[column][first] == pytest.approx(exact[column][first], rel=tolerance)
    settings |= {"learning_rate": 1e-3, "warmup_from": 1e-4, "iterations": 7, "precision": "16-mixed"}
    stop = int(first) + 1
    with pytest.raises(KeyboardInterrupt):
        train(world, "16 bits, stopped", **settings)
    stop = 0
    train(world, "16 bits, stopped", **settings)
    assert results_of(world / "16 bits, stopped") == results_of(whole)


def test_computing_activations_again_trains_the_same(uninterrupted, world):
    train(world, "again from inputs", activation_checkpointing=True)
    first, second = (
        pd.read_parquet(folder / "metrics.parquet") for folder in (uninterrupted, world / "again from inputs")
    )
    np.testing.assert_allclose(second["loss"], first["loss"], rtol=1e-5)
    assert list(second["val_accuracy"].dropna()) == list(first["val_accuracy"].dropna())
    ours, theirs = (load_file(f / "model.safetensors") for f in (uninterrupted, world / "again from inputs"))
    for name in (name for name in ours if "running_" in name or "num_batches" in name):
        torch.testing.assert_close(theirs[name], ours[name], rtol=1e-3, atol=1e-4)
