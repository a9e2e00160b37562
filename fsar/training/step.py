"""One optimizer step: the gradients of its tasks, over all processes."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from fsar.config import TrainingConfig
from fsar.model.few_shot import FewShotModel, batch_norms
from fsar.training.batch_norm import RunningStatistics
from fsar.training.data import TrainingBatch
from fsar.training.processes import gather, share


def train_step(
    fabric: Fabric, model: Any, optimizer: Any, loader: Iterator[TrainingBatch], config: TrainingConfig, seed: int
) -> tuple[Tensor, float, RunningStatistics]:
    """Compute the gradients of one optimizer step, without taking it.

    Returns:
        (tasks, …) outcomes of all processes in the order of the tasks, as `outcome_names` names them; the norm of the
        gradients; the statistics of BatchNorm, to be finished or restored.
    """
    tasks = config.tasks_per_step
    _training_mode(model.module, config)
    statistics = RunningStatistics(model.module)
    optimizer.zero_grad()
    outcomes = []
    own = share(tasks, fabric)
    for place in own:
        batch = next(loader)
        torch.manual_seed(_chance(seed, batch.number))  # dropout too depends on the episode alone
        with fabric.no_backward_sync(model, enabled=place != own[-1]):
            statistics.before_task()
            outcome = model(
                batch.videos.to(fabric.device, non_blocking=True),
                batch.classes.to(fabric.device, non_blocking=True),
                config.fixed_shot,
                config.batch_norm == "apart",
                config.unknown_queries if model.module.components.unknown else 0,
            )
            statistics.after_task(place, tasks)
            fabric.backward(outcome.total / len(own))  # processes are averaged
        values = (outcome.total, outcome.accuracy, *(outcome.losses[name] for name in model.module.head.loss_names))
        outcomes.append(torch.stack(values).detach())
    outcomes_of_all = gather(torch.stack(outcomes), tasks, fabric)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients).item()
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    return outcomes_of_all.cpu(), norm / (scaler.get_scale() if scaler else 1.0), statistics


def outcome_names(model: FewShotModel) -> list[str]:
    """Return the names of the outcomes of an episode in `train_step`: loss, accuracy and the terms of the loss."""
    return ["loss", "train_accuracy", *(f"{name}_loss" for name in model.head.loss_names)]


def what_is_not_finite(
    outcomes: Tensor, norm: float, step: int, config: TrainingConfig
) -> tuple[str, list[int]] | None:
    """Return a sentence on what is NaN or infinite in a step, and in which episodes; None if nothing is.

    Overflowing fp16 gradients are not reported: the scaler skips that step and lowers the scale.
    """
    bad = torch.nonzero(~torch.isfinite(outcomes).all(dim=1)).flatten().tolist()
    if not bad and (math.isfinite(norm) or config.precision == "16-mixed"):
        return None
    tasks = config.tasks_per_step
    numbers = [step * tasks + place for place in bad or range(tasks)]
    if bad:
        return "the loss of episode " + ", ".join(map(str, numbers)) + " is not finite", numbers
    return f"the losses of episodes {numbers[0]} to {numbers[-1]} are finite, but their gradient is not", numbers


def _training_mode(model: FewShotModel, config: TrainingConfig) -> None:
    model.train()
    if model.components.trains != "encoder":
        model.backbone.eval()
        if model.backbone.adapters is not None:
            model.backbone.adapters.train()
    elif config.batch_norm == "running":
        for layer in batch_norms(model.backbone):
            layer.eval()


def _chance(seed: int, episode: int) -> int:
    """Return the seed of torch's generators for one episode."""
    return int(np.random.SeedSequence([seed, 5, episode]).generate_state(1, np.uint64)[0] >> 1)
