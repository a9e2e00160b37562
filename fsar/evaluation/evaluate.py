"""Evaluation: every stored episode, on features."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.feature_file import read_features
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA
from fsar.files import write_parquet
from fsar.job import progress
from fsar.model.head import Head, combined_logits

log = logging.getLogger(__name__)

# Videos modulated in one call; bounds memory.
BATCH = 250

DecidesBy = Literal["few-shot", "text", "both"]


@torch.inference_mode()
def predict(
    head: Head,
    episodes: StoredEpisodes,
    video_rows: dict[str, int],
    frames: Tensor,
    class_rows: dict[str, int],
    text: Tensor,
    decides_by: DecidesBy = "few-shot",
) -> NDArray[np.int64]:
    """Predict the label of every query.

    Args:
        head: in evaluation mode, on the device of the tensors.
        episodes: E episodes of way N with K support videos and Q queries per class; K may be 0 if the text decides.
        video_rows, frames: row of each video in (V, T, D) frame features.
        class_rows, text: row of each class in (C, D) text features.
        decides_by: the support videos, the class names, or both (see `fsar.model.methods.Method`).

    Returns:
        (E, N, Q) predicted labels; the true one is the place along N.
    """
    device = frames.device
    video_row = torch.tensor([video_rows[v] for v in episodes.video_ids], device=device)
    class_row = torch.tensor([class_rows[c] for c in episodes.class_names], device=device)
    support = video_row[torch.from_numpy(episodes.support).to(device)]  # (E, N, K)
    queries = video_row[torch.from_numpy(episodes.queries).to(device)]  # (E, N, Q)
    classes = class_row[torch.from_numpy(episodes.classes).to(device)]  # (E, N)
    few_shot = None if decides_by == "text" else FewShotLogits(head, frames, text, support, classes)

    predicted = torch.empty(queries.shape, dtype=torch.long)
    batch = head.metric.episodes_at_once
    for start in progress(range(0, len(queries), batch), "episodes", "batch"):
        part = slice(start, start + batch)
        asked = queries[part].flatten(1)  # (B, N·Q)
        if few_shot is not None:
            logits = few_shot(part, asked)  # (B, N·Q, N)
        if decides_by != "few-shot":
            text_logits = head.text_logits(frames[asked], text[classes[part]])  # (B, N·Q, N)
            if decides_by == "text":
                logits = text_logits
            else:
                logits = combined_logits(logits, text_logits, head.config.text_weight, frames.shape[1])
        predicted[part] = logits.argmax(dim=-1).view(queries[part].shape).cpu()
    return predicted.numpy()


class FewShotLogits:
    """The few-shot logits of many episodes over the same videos, each video modulated as rarely as possible.

    Args:
        head, frames, text: as for `predict`.
        support: (E, N, K) rows of `frames`.
        classes: (E, N) rows of `text`.
    """

    def __init__(self, head: Head, frames: Tensor, text: Tensor, support: Tensor, classes: Tensor):
        self.head, self.text, self.support, self.classes = head, text, support, classes
        # A query's modulation does not depend on its episode, and often neither does a support video's.
        self.queries = torch.cat([head.represent(head.modulate(part)) for part in frames.split(BATCH)])  # (V, …)
        # What episodes put their prototypes together from, (V, …).
        self.shots, self.modulated = frames, head.modulates_each_shot(support.shape[-1])
        if self.modulated:
            class_of = torch.zeros(len(frames), dtype=torch.long, device=frames.device)
            class_of[support] = classes.unsqueeze(-1).expand_as(support)
            self.shots = self._modulate(frames, text[class_of])
        if head.metric.keeps_shots:
            self.shots = torch.cat([head.represent(part) for part in self.shots.split(BATCH)])

    def __call__(self, part: slice, asked: Tensor) -> Tensor:
        """Return the logits of some episodes, B of them: `asked` (B, N·Q) rows → (B, N·Q, N)."""
        support, classes = self.support[part], self.classes[part]
        if self.head.metric.keeps_shots:
            return self.head.match(self.queries[asked], self.shots[support])  # (B, N, K, …)
        # Head.prototypes, without a copy of every shot for every episode.
        means = F.embedding_bag(support.flatten(0, 1), self.shots.flatten(1), mode="mean")  # (B·N, T·D)
        prototypes = means.unflatten(1, self.shots.shape[1:])
        if not self.modulated:
            prototypes = self._modulate(prototypes, self.text[classes.flatten()])
        return self.head.match(self.queries[asked], prototypes.unflatten(0, classes.shape))

    def _modulate(self, videos: Tensor, names: Tensor) -> Tensor:
        """Modulate (V, T, D) with (V, D) texts, some at a time: fewer stay in the processor's cache."""
        parts = zip(videos.split(BATCH), names.split(BATCH), strict=True)
        return torch.cat([self.head.modulate(*part) for part in parts])


def correct(predicted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which predictions of `predict` are right: (E, N, Q)."""
    return predicted == np.arange(predicted.shape[1])[:, None]


def evaluate_setting(head: Head, decides_by: DecidesBy, features: Path, episodes: Path, path: Path) -> None:
    """Evaluate a model on stored episodes and write every prediction, a row per query.

    Args:
        head: with its trained weights.
        decides_by: see `predict`.
        features: of the split's videos, under the same model.
        episodes: the stored episodes.
        path: Parquet file to write, see `PREDICTIONS_SCHEMA`.
    """
    stored = StoredEpisodes.read(episodes)
    predicted = predict(head.eval(), stored, *read_features(features), decides_by)
    count, way, queries = predicted.shape
    table = pd.DataFrame(
        {
            "episode": np.repeat(np.arange(count), way * queries),
            "label": np.tile(np.repeat(np.arange(way), queries), count),
            "class_name": pd.Categorical.from_codes(
                stored.classes.ravel().repeat(queries), categories=stored.class_names
            ),
            "predicted": predicted.ravel(),
        }
    )
    write_parquet(path, table, PREDICTIONS_SCHEMA)
    log.info("%s: accuracy %.4f over %d episodes", episodes, correct(predicted).mean(), count)
