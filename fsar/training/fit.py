"""Training a method on a benchmark: episodes in, the best weights on validation out."""

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor

from fsar.config import TrainingConfig
from fsar.episodes.stored import StoredEpisodes, readable_videos
from fsar.errors import UserError
from fsar.evaluation.made_from import short_checksum
from fsar.files import write_sealed_json
from fsar.job import progress
from fsar.model.backbone import Backbone, load_backbone
from fsar.model.few_shot import FewShotModel, batch_norms
from fsar.shared_memory import shared_memory_told
from fsar.training.batch_norm import RunningStatistics
from fsar.training.checkpoint import Checkpoint, identity
from fsar.training.data import TimedLoader, TrainingBatch, TrainingEpisodes, load_episodes
from fsar.training.environment import environment
from fsar.training.job import TrainingFiles, TrainingJob
from fsar.training.loggers import make_logger
from fsar.training.metrics import Metrics
from fsar.training.optimizer import make_optimizer, parameter_groups
from fsar.training.processes import gather, share, start_processes
from fsar.training.schedule import learning_rate
from fsar.training.texts import EpisodeTexts
from fsar.training.validation import Validation
from fsar.videos.store_read import FrameStore

log = logging.getLogger(__name__)


def fit(job: TrainingJob, files: TrainingFiles) -> None:
    """Train, validate at intervals, and keep the weights that were best on validation.

    A run that was stopped goes on from its last checkpoint: the episodes and all chance are functions of (seed, episode
    number), so the result is that of a run without a stop. With several devices each process takes a part of every
    step's tasks, and the result is that of one process with all of them.

    Raises:
        UserError: the data or weights do not fit, the checkpoint is of another training, the loss or a gradient is no
            longer finite, an operation is not deterministic, or loader processes lack shared memory.
    """
    described = identity(job.decisive(), files.decisive)
    with Checkpoint(files.checkpoint, described, files.code, job.components) as checkpoint:
        try:
            with shared_memory_told("set training.workers to 0, and frames are read in the training's own process"):
                _fit(job, files, checkpoint)
        except RuntimeError as error:
            if job.training.deterministic and "does not have a deterministic implementation" in str(error):
                operation = str(error).split(" does not have")[0]
                raise UserError(
                    f"{operation} cannot be computed in a way that gives the same bits each time, on this device and "
                    "with this PyTorch. Set training.deterministic to false; training goes on from its last checkpoint."
                ) from error
            raise


def _fit(job: TrainingJob, files: TrainingFiles, checkpoint: Checkpoint) -> None:
    config = job.training
    fabric = start_processes(config, job.device)
    torch.manual_seed(job.seed)

    store = FrameStore(files.index.parent, files.index)
    videos = {split: readable_videos(files.manifest, files.index, split) for split in ("train", "val")}
    classes = videos["train"]["class_name"].nunique()
    wrapped, optimizer = set_up(job, load_backbone(job.backbone), classes, fabric)
    model = wrapped.module
    size = model.backbone.image_size
    episodes = TrainingEpisodes(store, videos["train"], config, job.sampling, size, job.seed)
    workers = config.workers // config.spread().devices
    stored = StoredEpisodes.read(files.episodes)
    validation = Validation(store, videos["val"], stored, job.sampling, size, job.data_seed, workers, fabric)

    texts = EpisodeTexts(model, job, list(episodes.sampler.class_names), stored.class_names)

    state = checkpoint.load() or {"step": 0, "best": None, "metrics": [], "other_code": []}
    if state["step"]:
        model.load_trained_state(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        fabric.strategy.precision.load_state_dict(state["precision"])
        log.info("going on from step %d of an earlier run", state["step"])
    step, best, other_code = state["step"], state["best"], state["other_code"]
    shown_in = files.curves if fabric.is_global_zero else None
    logger = make_logger(config.logger, shown_in, job.settings(), state["metrics"]) if shown_in else None
    metrics = Metrics(state["metrics"], logger)
    saved = time.monotonic()

    def save() -> None:
        if fabric.is_global_zero:
            precision = fabric.strategy.precision.state_dict()  # the scale of fp16's loss
            current = {"step": step, "best": best, "metrics": metrics.rows, "other_code": other_code}
            current |= {"model": model.trained_state(), "optimizer": optimizer.state_dict(), "precision": precision}
            checkpoint.save(current)

    tasks = config.tasks_per_step
    steps = math.ceil(config.iterations / tasks)
    own = [s * tasks + place for s in range(step, steps) for place in share(tasks, fabric)]
    loader = TimedLoader(load_episodes(episodes, own, workers, pin_memory=fabric.device.type == "cuda"))
    bar = progress(None, job.model, "episode", total=steps * tasks, initial=step * tasks)
    while step < steps:
        started, loader.seconds = time.monotonic(), 0.0
        rate = learning_rate((step + 1) * tasks - 1, config)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        outcomes, norm, statistics = train_step(fabric, wrapped, optimizer, loader, job)
        if problem := _not_finite(outcomes, norm, step, episodes, config, files.checkpoint):
            statistics.restore()
            save()
            checkpoint.wait()
            fabric.barrier()  # no process ends before the state is saved
            raise UserError(problem)
        statistics.finish(fabric, tasks)
        optimizer.step()
        step += 1
        iteration = step * tasks
        bar.update(tasks)

        seconds = time.monotonic() - started
        means = dict(zip(outcome_names(model), outcomes.mean(dim=0).tolist(), strict=True))
        row = _row(iteration, rate, means, norm, seconds / tasks, loader.seconds, fabric.device)
        if step == steps or _due(iteration, config.validate_every, tasks):
            row["val_accuracy"] = validation.accuracy(model, texts.of_validation())
            if best is None or row["val_accuracy"] > best["val_accuracy"]:
                best = {"val_accuracy": row["val_accuracy"], "iteration": iteration}
                if fabric.is_global_zero:
                    checkpoint.save_best(model.tested_state(), iteration)
            log.info(
                "episode %d of %d: loss %.4f, train accuracy %.3f, val accuracy %.4f, lr %.2e, %.1f episodes/s",
                iteration, steps * tasks, row["loss"], row["train_accuracy"], row["val_accuracy"], rate,
                row["episodes_per_second"],
            )  # fmt: skip
            bar.set_postfix(loss=f"{row['loss']:.3f}", val=f"{row['val_accuracy']:.3f}")
        metrics.add(row)
        if step < steps and time.monotonic() - saved >= 60 * config.checkpoint_minutes:
            save()
            saved = time.monotonic()
    bar.close()
    metrics.close()

    assert best is not None  # the last step validates
    if fabric.is_global_zero:
        checkpoint.export_best(best["iteration"], files.output / "model.safetensors")
        metrics.write(files.output / "metrics.parquet")
        described = _described(job, best, videos, other_code) | {"environment": environment(fabric.device)}
        described |= {"weights": short_checksum(files.output / "model.safetensors")}
        write_sealed_json(files.output / "training.json", job.settings() | described)
        checkpoint.remove()
    log.info("best on validation at episode %d: %.4f", best["iteration"], best["val_accuracy"])


def set_up(job: TrainingJob, backbone: Backbone, classes: int, fabric: Fabric) -> tuple[Any, Any]:
    """Build what is trained and what trains it, where they run.

    Args:
        job: the training.
        backbone: with its pretrained weights.
        classes: C, training classes.
        fabric: of the processes that train.

    Returns:
        The model, its `FewShotModel` as `module`, and the optimizer; both as `train_step` takes them.
    """
    model = FewShotModel(backbone, job.components, job.head, job.sampling.frames, classes, job.adapters)
    model.head.initialise(backbone)
    model.head.loss_over_queries = job.training.loss_over_queries
    if job.training.activation_checkpointing:
        backbone.checkpoint_activations()
    if job.components.trains == "encoder":
        backbone.freeze_text(wholly=not job.components.trains_text)
        backbone.freeze_unused(model.head.needs)
    else:
        backbone.requires_grad_(False)
        if backbone.adapters is not None:
            backbone.adapters.requires_grad_(True)
    return fabric.setup(model, make_optimizer(parameter_groups(model, job.training), job.training))


def _row(
    iteration: int,
    rate: float,
    outcomes: dict[str, float],
    norm: float,
    seconds: float,
    waited: float,
    device: torch.device,
) -> dict[str, Any]:
    """Return a step's row of the metrics, see `fsar.training.metrics`.

    Args:
        iteration: episodes trained on by now.
        rate: learning rate of the step.
        outcomes: means of `train_step` over the tasks.
        norm: of the gradients.
        seconds: that an episode took.
        waited: seconds waited for frames in the step.
        device: whose memory is told.
    """
    return {
        "iteration": iteration,
        "learning_rate": rate,
        **outcomes,
        "gradient_norm": norm,
        "val_accuracy": None,
        "episodes_per_second": 1 / seconds,
        "loader_seconds": waited,
        "gpu_memory_mb": torch.cuda.max_memory_allocated() / 1e6 if device.type == "cuda" else None,
    }


def _described(
    job: TrainingJob, best: dict[str, Any], videos: dict[str, pd.DataFrame], other_code: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what training.json says of a finished training beside its settings and where it ran."""
    tasks = job.training.tasks_per_step
    return {
        "benchmark": job.benchmark,
        "backbone_name": job.backbone_name,
        "model": job.model,
        "selection": {"split": "val", "iteration": best["iteration"], "accuracy": best["val_accuracy"]},
        "videos": {split: _counts(table) for split, table in videos.items()},
        "resumed_with_other_code": [{"iteration": tasks * at["step"], "files": at["files"]} for at in other_code],
    }


def train_step(
    fabric: Fabric, model: Any, optimizer: Any, loader: Iterator[TrainingBatch], job: TrainingJob
) -> tuple[Tensor, float, RunningStatistics]:
    """Compute the gradients of one optimizer step, without taking it.

    Args:
        fabric, model, optimizer: as set up.
        loader: gives this process's share of the tasks.
        job: the training.

    Returns:
        (tasks, …) outcomes of all processes in the order of the tasks, as `outcome_names` names them; the norm of the
        gradients; the statistics of BatchNorm, to be finished or restored.
    """
    config = job.training
    tasks = config.tasks_per_step
    _training_mode(model.module, config)
    statistics = RunningStatistics(model.module)
    optimizer.zero_grad()
    outcomes = []
    own = share(tasks, fabric)
    for place in own:
        batch = next(loader)
        torch.manual_seed(_chance(job.seed, batch.number))  # dropout too depends on the episode alone
        with fabric.no_backward_sync(model, enabled=place != own[-1]):
            statistics.before_task()
            outcome = model(
                batch.videos.to(fabric.device, non_blocking=True),
                batch.classes.to(fabric.device, non_blocking=True),
                config.fixed_shot,
                config.batch_norm == "apart",
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
    """Return the names of what `train_step` tells of an episode: its loss, accuracy and the terms of the loss."""
    return ["loss", "train_accuracy", *(f"{name}_loss" for name in model.head.loss_names)]


def _not_finite(
    outcomes: Tensor, norm: float, step: int, episodes: TrainingEpisodes, config: TrainingConfig, checkpoint: Path
) -> str | None:
    """Say what is not finite in a step, if anything is.

    Gradients that overflow in fp16 are not told: its scaler leaves out the step and lowers the scale.
    """
    bad = torch.nonzero(~torch.isfinite(outcomes).all(dim=1)).flatten().tolist()
    if not bad and (math.isfinite(norm) or config.precision == "16-mixed"):
        return None
    tasks = config.tasks_per_step
    numbers = [step * tasks + place for place in bad or range(tasks)]
    what = (
        "the loss of episode " + ", ".join(map(str, numbers)) + " is not finite"
        if bad
        else f"the losses of episodes {numbers[0]} to {numbers[-1]} are finite, but their gradient is not"
    )
    videos = "\n".join(f"  - {video}" for number in numbers for video in episodes.video_ids_of(number))
    return (
        f"Training stopped in step {step}: {what}. The state before this step is saved in {checkpoint}. The same "
        "settings would come to the same: lower training.learning_rate or take precision 32-true and, since that is "
        "another training, delete that file to start anew. If one of these videos is to blame, mend or remove it, and "
        f"delete the file too:\n{videos}"
    )


def _due(iteration: int, every: int, tasks: int) -> bool:
    """Tell whether the last step, of `tasks` episodes, reached or passed a multiple of `every`."""
    return iteration // every > (iteration - tasks) // every


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


def _counts(videos: pd.DataFrame) -> dict[str, int]:
    return {"classes": int(videos["class_name"].nunique()), "videos": len(videos)}
