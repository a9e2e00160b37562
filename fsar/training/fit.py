"""Training a method on a benchmark: episodes in, the best weights on validation out."""

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from lightning_fabric import Fabric
from torch import nn
from tqdm import tqdm

from fsar.config import BackboneConfig, HeadConfig, SamplingConfig, TrainingConfig
from fsar.episodes.stored import StoredEpisodes, readable_videos
from fsar.errors import UserError
from fsar.evaluation.evaluate import correct, predict
from fsar.evaluation.features import encode_videos
from fsar.files import write_json, write_parquet
from fsar.job import progress
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, Losses, save_weights
from fsar.model.methods import METHODS
from fsar.training.checkpoint import Checkpoints, fingerprint
from fsar.training.data import TrainingBatch, TrainingEpisodes, load_episodes
from fsar.training.schedule import learning_rate
from fsar.videos.frame_store import FrameStore

log = logging.getLogger(__name__)

METRICS_SCHEMA = pa.schema(
    [
        ("iteration", pa.int32()),  # episodes trained on so far
        ("learning_rate", pa.float64()),
        ("loss", pa.float64()),  # means over the episodes of the optimizer step
        ("few_shot_loss", pa.float64()),
        ("video_text_loss", pa.float64()),
        ("train_accuracy", pa.float64()),
        ("val_accuracy", pa.float64()),  # missing where no validation followed the step
    ]
)


@dataclass(frozen=True)
class TrainingJob:
    """Everything that decides one trained model."""

    method: str
    backbone: BackboneConfig
    sampling: SamplingConfig
    head: HeadConfig
    training: TrainingConfig
    seed: int  # of this training
    data_seed: int  # of the frames that validation looks at
    device: str = "auto"

    def settings(self) -> dict[str, Any]:
        """Return the job as plain values."""
        sections = {name: getattr(self, name).model_dump() for name in ("backbone", "sampling", "head", "training")}
        return sections | {"method": self.method, "seed": self.seed, "data_seed": self.data_seed}


@dataclass(frozen=True)
class TrainingData:
    """The files one training reads."""

    manifest: Path
    index: Path
    frames: Path  # folder of the shards
    episodes: Path  # stored validation episodes


def fit(job: TrainingJob, data: TrainingData, output: Path, checkpoints: Path, identity: list[Path]) -> None:
    """Train, validate at intervals, and keep the weights that were best on validation.

    A run that was stopped goes on from its last checkpoint, if settings and inputs are the same: the episodes and all
    chance are functions of (seed, episode number), so the result is that of a run without a stop.

    Args:
        job: what to train.
        data: what to train on.
        output: folder for model.safetensors, metrics.parquet and training.json.
        checkpoints: folder where unfinished runs are kept.
        identity: input files whose contents make the run what it is.

    Raises:
        UserError: the data or weights do not fit, or the loss is no longer finite.
    """
    config = job.training
    fabric = Fabric(accelerator=job.device, devices=1, precision=config.precision)
    if fabric.device.type == "cpu":
        torch.set_num_threads(config.threads - config.workers)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(job.seed)

    model = FewShotModel(load_backbone(job.backbone.model, job.backbone.weights), METHODS[job.method], job.head)
    optimizer = torch.optim.Adam(_parameter_groups(model, config), lr=config.learning_rate, fused=True)
    store = FrameStore(data.frames, data.index)
    videos = {split: readable_videos(data.manifest, data.index, split) for split in ("train", "val")}
    episodes = TrainingEpisodes(store, videos["train"], config, job.sampling, model.backbone.image_size, job.seed)
    validation = Validation(model, store, videos["val"], StoredEpisodes.read(data.episodes), job)
    model.backbone.clip.requires_grad_(False)
    model.backbone.clip.visual.requires_grad_(True)
    prompts = [job.backbone.prompt.format(class_name=name) for name in episodes.sampler.class_names]
    wrapped, optimizer = fabric.setup(model, optimizer)
    text = model.backbone.encode_text(prompts)  # (C, D), frozen

    saved = Checkpoints(checkpoints, fingerprint(job.settings(), identity))
    state = saved.load() or {"step": 0, "best": None, "metrics": []}
    if state["step"]:
        model.load_trained_state(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        log.info("going on from step %d of an earlier run", state["step"])
    step, best, metrics = state["step"], state["best"], state["metrics"]

    def save() -> None:
        current = {"step": step, "best": best, "metrics": metrics}
        saved.save(current | {"model": model.trained_state(), "optimizer": optimizer.state_dict()})

    tasks = config.tasks_per_step
    steps = math.ceil(config.iterations / tasks)
    loader = iter(load_episodes(episodes, step * tasks, steps * tasks, config.workers))
    bar: tqdm[None] = progress(None, job.method, "episode", total=steps * tasks, initial=step * tasks)
    started, first_step = time.monotonic(), step
    while step < steps:
        _training_mode(model, config)
        rate = learning_rate((step + 1) * tasks - 1, config)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        optimizer.zero_grad()
        episode_losses = []
        for task in range(tasks):
            batch = next(loader)
            torch.manual_seed(_chance(job.seed, batch.number))  # dropout too depends on the episode alone
            with fabric.no_backward_sync(wrapped, enabled=task < tasks - 1):
                losses: Losses = wrapped(
                    batch.videos.to(fabric.device, non_blocking=True),
                    batch.classes.to(fabric.device),
                    text,
                    config.shot,
                    config.video_text_weight,
                )
                if not torch.isfinite(losses.total):
                    save()
                    raise UserError(_not_finite(step, batch, losses))
                fabric.backward(losses.total / tasks)
            episode_losses.append(
                torch.stack([losses.total, losses.few_shot, losses.video_text, losses.accuracy]).detach()
            )
        optimizer.step()
        step += 1
        iteration = step * tasks
        bar.update(tasks)

        means = torch.stack(episode_losses).mean(dim=0).tolist()
        row = dict(zip(METRICS_SCHEMA.names, [iteration, rate, *means, None], strict=True))
        if step == steps or _due(iteration, config.validate_every, tasks):
            row["val_accuracy"] = validation.accuracy(fabric)
            if best is None or row["val_accuracy"] > best["val_accuracy"]:
                weights = {name: value.detach().cpu().clone() for name, value in model.trained_state().items()}
                best = {"val_accuracy": row["val_accuracy"], "iteration": iteration, "model": weights}
            speed = (step - first_step) * tasks / (time.monotonic() - started)
            log.info(
                "episode %d of %d: loss %.4f, train accuracy %.3f, val accuracy %.4f, lr %.2e, %.1f episodes/s",
                iteration, steps * tasks, row["loss"], row["train_accuracy"], row["val_accuracy"], rate, speed,
            )  # fmt: skip
            bar.set_postfix(loss=f"{row['loss']:.3f}", val=f"{row['val_accuracy']:.3f}")
        metrics.append(row)
        if step < steps and _due(iteration, config.checkpoint_every, tasks):
            save()
    bar.close()

    assert best is not None  # the last step validates
    save_weights(best["model"], output / "model.safetensors")
    write_parquet(output / "metrics.parquet", pd.DataFrame(metrics, columns=METRICS_SCHEMA.names), METRICS_SCHEMA)
    selection = {"split": "val", "iteration": best["iteration"], "accuracy": best["val_accuracy"]}
    write_json(output / "training.json", job.settings() | {"selection": selection})
    saved.remove()
    log.info("best on validation at episode %d: %.4f", best["iteration"], best["val_accuracy"])


class Validation:
    """The stored validation episodes, on features encoded anew each time."""

    def __init__(
        self, model: FewShotModel, store: FrameStore, videos: pd.DataFrame, episodes: StoredEpisodes, job: TrainingJob
    ):
        self.model, self.store, self.episodes, self.job = model, store, episodes, job
        used = set(episodes.video_ids)
        self.video_ids = [video_id for video_id in videos["video_id"] if video_id in used]
        self.prompts = [job.backbone.prompt.format(class_name=name) for name in episodes.class_names]

    def accuracy(self, fabric: Fabric) -> float:
        """Return the share of queries classified correctly."""
        self.model.eval()
        with fabric.autocast():
            frames = encode_videos(
                self.model.backbone,
                self.store,
                self.video_ids,
                self.job.sampling,
                self.job.data_seed,
                fabric.device,
                self.job.training.workers,
            )
        text = self.model.backbone.encode_text(self.prompts)
        rows = {video_id: row for row, video_id in enumerate(self.video_ids)}
        class_rows = {name: row for row, name in enumerate(self.episodes.class_names)}
        predicted = predict(self.model.head, self.episodes, rows, frames.to(fabric.device), class_rows, text)
        return float(correct(predicted).mean())


def _parameter_groups(model: FewShotModel, config: TrainingConfig) -> list[dict[str, Any]]:
    """Group parameters by learning rate and weight decay; as published, decay spares names with `bn` or `norm`."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for factor, module in ((1.0, model.backbone.clip.visual), (config.head_learning_rate_factor, model.head)):
        for name, parameter in module.named_parameters():
            decay = 0.0 if "bn" in name or "norm" in name else config.weight_decay
            groups.setdefault((factor, decay), []).append(parameter)
    return [{"params": ps, "factor": factor, "weight_decay": decay} for (factor, decay), ps in groups.items()]


def _due(iteration: int, every: int, tasks: int) -> bool:
    """Tell whether the last step, of `tasks` episodes, reached or passed a multiple of `every`."""
    return iteration // every > (iteration - tasks) // every


def _training_mode(model: FewShotModel, config: TrainingConfig) -> None:
    model.train()
    if config.batch_norm == "running":
        for module in model.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _chance(seed: int, episode: int) -> int:
    """Return the seed of torch's generators for one episode."""
    return int(np.random.SeedSequence([seed, 5, episode]).generate_state(1, np.uint64)[0] >> 1)


def _not_finite(step: int, batch: TrainingBatch, losses: Losses) -> str:
    values = {name: getattr(losses, name).item() for name in ("few_shot", "video_text")}
    videos = "\n".join(f"  - {video_id}" for video_id in batch.video_ids)
    return (
        f"The loss is no longer finite in step {step}, episode {batch.number}: {values}. "
        "Everything before this step is saved. Lower training.learning_rate, or look at the videos of the episode:\n"
        + videos
    )
