"""A step: the gradient of its episodes, what is not finite or not deterministic, and lower precision."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fsar.episodes.stored import readable_videos
from fsar.errors import UserError
from fsar.fabric import make_fabric
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.training.checkpoint import Checkpoint, identity
from fsar.training.data import TrainingEpisodes
from fsar.training.setup import set_up_model
from fsar.training.step import train_step
from fsar.training.texts import EpisodeTexts
from fsar.videos.store_read import FrameStore
from tests.helpers.training import job_and_files, results_of, stop_after_saving, train


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


def test_lower_precision_is_close_and_goes_on(world, uninterrupted, monkeypatch):
    precision = "bf16-mixed"
    exact = pd.read_parquet(uninterrupted / "metrics.parquet")
    name = "bf16"
    stop_after_saving(monkeypatch, 3)
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
