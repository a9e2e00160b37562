"""Keeps the state to continue from, the best weights on validation, and at the end the results."""

import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd

from fsar.evaluation.made_from import short_checksum
from fsar.files import write_sealed_json
from fsar.training.checkpoint import Checkpoint
from fsar.training.environment import environment
from fsar.training.metrics import write_metrics
from fsar.training.setup import Training

log = logging.getLogger(__name__)


class Keeper:
    """Keeps the state and best weights of a training run; the first process writes them.

    Args:
        training: as set up; a saved state, if there is one, is loaded into its model and optimizer.
        checkpoint: of the state.

    Attributes:
        step: steps taken.
        best: val_accuracy and iteration of the best weights; None before the first validation.
        rows: of the metrics.

    Raises:
        UserError: the state is of another training, or cannot be read.
    """

    def __init__(self, training: Training, checkpoint: Checkpoint):
        self.training, self.checkpoint = training, checkpoint
        state = checkpoint.load() or {"step": 0, "best": None, "metrics": [], "other_code": []}
        if state["step"]:
            training.model.load_trained_state(state["model"])
            training.optimizer.load_state_dict(state["optimizer"])
            training.fabric.strategy.precision.load_state_dict(state["precision"])
            log.info("going on from step %d of an earlier run", state["step"])
        self.step: int = state["step"]
        self.best: dict[str, Any] | None = state["best"]
        self.rows: list[dict[str, Any]] = state["metrics"]
        self._other_code: list[dict[str, Any]] = state["other_code"]
        self._saved = time.monotonic()

    def offer(self, accuracy: float, iteration: int) -> None:
        """Keep the weights if they are the best so far; with equal accuracy the earlier ones stay."""
        if self.best is not None and accuracy <= self.best["val_accuracy"]:
            return
        self.best = {"val_accuracy": accuracy, "iteration": iteration}
        if self.training.fabric.is_global_zero:
            self.checkpoint.save_best(self.training.model.tested_state(), iteration)

    def save(self) -> None:
        """Save the state, all that the next step depends on."""
        if self.training.fabric.is_global_zero:
            precision = self.training.fabric.strategy.precision.state_dict()  # the scale of fp16's loss
            kept = {"step": self.step, "best": self.best, "metrics": self.rows, "other_code": self._other_code}
            kept |= {"model": self.training.model.trained_state(), "precision": precision}
            self.checkpoint.save(kept | {"optimizer": self.training.optimizer.state_dict()})

    def save_at_intervals(self, minutes: float) -> None:
        """Save the state if the last save is at least `minutes` ago."""
        if time.monotonic() - self._saved >= 60 * minutes:
            self.save()
            self._saved = time.monotonic()

    def write_results(self, described: dict[str, Any], folder: Path) -> None:
        """Write the best weights, the metrics and training.json, and delete the state."""
        assert self.best is not None  # the last step validates
        if self.training.fabric.is_global_zero:
            weights = folder / "model.safetensors"
            self.checkpoint.export_best(self.best["iteration"], weights)
            write_metrics(folder / "metrics.parquet", self.rows)
            found = self._found() | {"weights": short_checksum(weights)}
            write_sealed_json(folder / "training.json", described | found)
            self.checkpoint.remove()
        log.info("best on validation at episode %d: %.4f", self.best["iteration"], self.best["val_accuracy"])

    def _found(self) -> dict[str, Any]:
        """Return facts of a finished training run."""
        assert self.best is not None
        tasks = self.training.config.tasks_per_step
        return {
            "selection": {"split": "val", "iteration": self.best["iteration"], "accuracy": self.best["val_accuracy"]},
            "videos": {split: _counts(table) for split, table in self.training.videos.items()},
            "resumed_with_other_code": [
                {"iteration": tasks * at["step"], "files": at["files"]} for at in self._other_code
            ],
            "features": self._features(),
            "environment": environment(self.training.fabric.device),
        }

    def _features(self) -> dict[str, Any]:
        """Return how the videos of training episodes came to their features."""
        episodes = self.training.episodes
        return {
            "views": len(episodes.views) // episodes.views.videos if episodes.views else "fresh",
            "stored": episodes.given is not None,
        }


def _counts(videos: pd.DataFrame) -> dict[str, int]:
    return {"classes": int(videos["class_name"].nunique()), "videos": len(videos)}
