"""A whole training: what it leaves, and going on after a stop to the same bytes."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs, TransformerSizes
from fsar.model.few_shot import FewShotModel
from fsar.training import loop
from fsar.training.checkpoint import Checkpoint
from fsar.training.validation import Validation
from tests.helpers.small_models import small_head
from tests.helpers.training import results_of, train


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
    # File by file: TensorBoard orders two that were begun within a second by the digits of a count.
    files = [EventAccumulator(str(path)).Reload() for path in (world / "tensorboard" / "stopped").iterdir()]
    events = sorted((event for file in files for event in file.Scalars("loss")), key=lambda event: event.wall_time)
    assert [event.step for event in events] == [2, 4, 6, 8, 10, 12]


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


# Of the small ViT CLIP.
SIZES = TransformerSizes(depth=6, width=96, heads=3, patches=16)
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
