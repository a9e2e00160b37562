"""The training loop: optimizer steps, validation at intervals, and a saved state to continue from."""

import logging
import math
import time
from typing import Any

import torch
from torch import Tensor

from fsar.errors import UserError
from fsar.job import progress
from fsar.training.data import TimedLoader, load_episodes
from fsar.training.keep import Keeper
from fsar.training.metrics import Metrics
from fsar.training.processes import own_workers, share
from fsar.training.schedule import learning_rate
from fsar.training.setup import Training
from fsar.training.step import outcome_names, train_step, what_is_not_finite

log = logging.getLogger(__name__)


def run(training: Training, keeper: Keeper, metrics: Metrics) -> None:
    """Train from the saved state, if there is one, to the last step, which validates.

    Raises:
        UserError: a loss or a gradient is not finite; the state before that step is kept.
    """
    config, tasks = training.config, training.config.tasks_per_step
    steps = math.ceil(config.iterations / tasks)
    loader = _loader(training, range(keeper.step, steps))
    bar = progress(None, training.name, "episode", total=steps * tasks, initial=keeper.step * tasks)
    for step in range(keeper.step, steps):
        row = _step(training, keeper, loader)
        keeper.step = step + 1
        iteration = keeper.step * tasks
        bar.update(tasks)
        if keeper.step == steps or _due(iteration, config.validate_every, tasks):
            row["val_accuracy"] = training.validate()
            keeper.offer(row["val_accuracy"], iteration)
            log.info(
                "episode %d of %d: loss %.4f, train accuracy %.3f, val accuracy %.4f, lr %.2e, %.1f episodes/s",
                iteration, steps * tasks, row["loss"], row["train_accuracy"], row["val_accuracy"],
                row["learning_rate"], row["episodes_per_second"],
            )  # fmt: skip
            bar.set_postfix(loss=f"{row['loss']:.3f}", val=f"{row['val_accuracy']:.3f}")
        metrics.add(row)
        if keeper.step < steps:
            keeper.save_at_intervals(config.checkpoint_minutes)
    bar.close()
    metrics.close()


def _loader(training: Training, steps: range) -> TimedLoader:
    """Return the episodes of this process's share of each step's tasks."""
    tasks = training.config.tasks_per_step
    own = [step * tasks + place for step in steps for place in share(tasks, training.fabric)]
    pinned = training.fabric.device.type == "cuda"
    # What is stored is looked up faster than another process hands it over.
    workers = 0 if training.episodes.given is not None else own_workers(training.config)
    return TimedLoader(load_episodes(training.episodes, own, workers, pin_memory=pinned))


def _step(training: Training, keeper: Keeper, loader: TimedLoader) -> dict[str, Any]:
    """Take the next step of the optimizer, and return its row of the metrics (`fsar.training.metrics`)."""
    config, fabric, step = training.config, training.fabric, keeper.step
    tasks = config.tasks_per_step
    started, loader.seconds = time.monotonic(), 0.0
    rate = learning_rate((step + 1) * tasks - 1, config)
    for group in training.optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    outcomes, norm, statistics = train_step(fabric, training.wrapped, training.optimizer, loader, config, training.seed)
    if bad := what_is_not_finite(outcomes, norm, step, config):
        statistics.restore()
        keeper.save()
        keeper.checkpoint.wait()
        fabric.barrier()  # no process ends before the state is saved
        raise UserError(_given_up(training, keeper, *bad))
    statistics.finish(fabric, tasks)
    training.optimizer.step()
    seconds = time.monotonic() - started
    return {
        "iteration": (step + 1) * tasks,
        "learning_rate": rate,
        **_means(training, outcomes),
        "gradient_norm": norm,
        "val_accuracy": None,
        "episodes_per_second": tasks / seconds,
        "loader_seconds": loader.seconds,
        "gpu_memory_mb": torch.cuda.max_memory_allocated() / 1e6 if fabric.device.type == "cuda" else None,
    }


def _means(training: Training, outcomes: Tensor) -> dict[str, float]:
    return dict(zip(outcome_names(training.model), outcomes.mean(dim=0).tolist(), strict=True))


def _given_up(training: Training, keeper: Keeper, what: str, numbers: list[int]) -> str:
    """Return a sentence on why training stops, and how to continue."""
    videos = "\n".join(f"  - {video}" for number in numbers for video in training.episodes.video_ids_of(number))
    return (
        f"Training stopped in step {keeper.step}: {what}. The state before this step is saved in "
        f"{keeper.checkpoint.path}. The same settings would come to the same: lower training.learning_rate or take "
        "precision 32-true and, since that is another training, delete that file to start anew. If one of these videos "
        f"is to blame, mend or remove it, and delete the file too:\n{videos}"
    )


def _due(iteration: int, every: int, tasks: int) -> bool:
    """Tell whether the last step, of `tasks` episodes, reached or passed a multiple of `every`."""
    return iteration // every > (iteration - tasks) // every
