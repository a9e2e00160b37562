"""Small trainings by the workflow's own loop: with other settings, stopped and gone on with, on either device."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from safetensors.torch import load_file
from torch import Tensor

from fsar.config import BackboneConfig, SamplingConfig, TrainingConfig
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.few_shot import FewShotModel, Outcome
from fsar.training.fit import fit
from fsar.training.job import TrainingFiles, TrainingJob
from perf.gpu_check.sizes import Sizes
from perf.small_models import small_adapters, small_backbone, small_head, small_text


class Trained(NamedTuple):
    """A finished training.

    Attributes:
        weights: of the visual encoder and the head.
        metrics: a row per step.
        file: the weights.
    """

    weights: dict[str, Tensor]
    metrics: pd.DataFrame
    file: Path


def job(data: Path, sizes: Sizes, device: str, model: str, dropout: bool = True, **training: Any) -> TrainingJob:
    """Describe a training of a model on a small backbone; without dropout of CLIP-FSAR's head alone."""
    parts = MODELS[model]
    architecture = small_backbone(parts)
    # A CPU and a GPU draw other numbers from the same seed, so what is compared between them has no dropout.
    head = small_head(parts) if dropout else ClipFsarConfig(attention_dropout=0.0, feed_forward_dropout=0.0)
    settings = {"threads": 1, "workers": 0, "learning_rate": 1e-4, "warmup_from": 1e-5, "warmup_iterations": 4}
    return TrainingJob(
        model=model,
        benchmark="demo",
        backbone_name=architecture,
        components=parts,
        backbone=BackboneConfig(model=architecture, weights=str(data / f"{architecture}.safetensors")),
        sampling=SamplingConfig(frames=sizes.frames),
        head=head,
        text=small_text(parts),
        adapters=small_adapters(parts),
        training=TrainingConfig(**settings | sizes.training | training),
        seed=1,
        data_seed=0,
        device=device,
    )


def train(
    data: Path,
    sizes: Sizes,
    device: str,
    name: str,
    model: str = "clip-fsar",
    stop: int | None = None,
    then: str | None = None,
    dropout: bool = True,
    **training: Any,
) -> Trained:
    """Train, in one go or stopped and gone on with.

    Args:
        data: of `make_world`; the outputs go into its folder `trained/NAME`.
        sizes, device: of the training; cuda or cpu.
        name: of its folder.
        model: which.
        stop: the episodes after which the training is stopped for the first time.
        then: the device that goes on with it, if another.
        dropout: as published, or none.
        training: keys of `TrainingConfig`.
    """
    output = data / "trained" / name
    files = TrainingFiles(
        manifest=data / "manifest.parquet",
        index=data / "small" / "index.parquet",
        episodes=data / "val.parquet",
        decisive=[],
        code={},
        output=output,
        checkpoint=data / "checkpoints" / f"{name}.pt",
    )
    described = job(data, sizes, device, model, dropout, **training)
    if stop is not None:
        try:
            with stopped_after(stop):
                fit(described, files)
        except Stopped:
            pass
        assert files.checkpoint.is_file(), "there is no checkpoint to go on from"
        described = replace(described, device=then or device)
    fit(described, files)
    weights = load_file(output / "model.safetensors")
    return Trained(weights, pd.read_parquet(output / "metrics.parquet"), output / "model.safetensors")


class Stopped(BaseException):
    """A training was stopped, as by Ctrl-C."""


@contextmanager
def stopped_after(episodes: int) -> Iterator[None]:
    """Stop a training before it computes its next episode after so many."""
    forward, calls = FewShotModel.forward, 0

    def counted(self: FewShotModel, *arguments: Any) -> Outcome:
        nonlocal calls
        calls += 1
        if calls > episodes:
            raise Stopped
        return forward(self, *arguments)

    FewShotModel.forward = counted  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        FewShotModel.forward = forward  # type: ignore[method-assign]
