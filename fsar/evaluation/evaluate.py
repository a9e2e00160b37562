"""Evaluation: every stored episode, on features."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.feature_file import read_features
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA
from fsar.files import write_parquet
from fsar.job import progress
from fsar.model.head import Head

log = logging.getLogger(__name__)

# Episodes matched in one call; bounds memory.
BATCH = 250


@torch.inference_mode()
def predict(
    head: Head,
    episodes: StoredEpisodes,
    video_rows: dict[str, int],
    frames: Tensor,
    class_rows: dict[str, int],
    text: Tensor,
) -> NDArray[np.int64]:
    """Predict the label of every query.

    Args:
        head: in evaluation mode, on the device of the tensors.
        episodes: E episodes of way N with Q queries per class.
        video_rows, frames: row of each video in (V, T, D) frame features.
        class_rows, text: row of each class in (C, D) text features.

    Returns:
        (E, N, Q) predicted labels; the true one is the place along N.
    """
    device = frames.device
    video_row = torch.tensor([video_rows[v] for v in episodes.video_ids], device=device)
    class_row = torch.tensor([class_rows[c] for c in episodes.class_names], device=device)
    support = video_row[torch.from_numpy(episodes.support).to(device)]  # (E, N, K)
    queries = video_row[torch.from_numpy(episodes.queries).to(device)]  # (E, N, Q)
    classes = class_row[torch.from_numpy(episodes.classes).to(device)]  # (E, N)

    # A query's modulation does not depend on its episode, and with one shot neither does a prototype.
    modulated = torch.cat([head.modulate_queries(part) for part in frames.split(BATCH)])  # (V, T, D)
    single = None
    if support.shape[-1] == 1:
        class_of = torch.zeros(len(frames), dtype=torch.long, device=device)
        class_of[support[..., 0]] = classes
        single = torch.cat(
            [
                head.prototypes(part.unsqueeze(1), text[names])
                for part, names in zip(frames.split(BATCH), class_of.split(BATCH), strict=True)
            ]
        )  # (V, T, D)

    predicted = torch.empty(queries.shape, dtype=torch.long)
    for start in progress(range(0, len(support), BATCH), "episodes", "batch"):
        part = slice(start, start + BATCH)
        if single is not None:
            prototypes = single[support[part, :, 0]]  # (B, N, T, D)
        else:
            shots = frames[support[part]].flatten(0, 1)  # (B·N, K, T, D)
            prototypes = head.prototypes(shots, text[classes[part].flatten()]).unflatten(0, classes[part].shape)
        logits = head.match(modulated[queries[part].flatten(1)], prototypes)  # (B, N·Q, N)
        predicted[part] = logits.argmax(dim=-1).view(queries[part].shape).cpu()
    return predicted.numpy()


def correct(predicted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which predictions of `predict` are right: (E, N, Q)."""
    return predicted == np.arange(predicted.shape[1])[:, None]


def evaluate_setting(head: Head, features: Path, episodes: Path, path: Path) -> None:
    """Evaluate a model on stored episodes and write every prediction, a row per query.

    Args:
        head: with its trained weights.
        features: of the split's videos, under the same model.
        episodes: the stored episodes.
        path: Parquet file to write, see `PREDICTIONS_SCHEMA`.
    """
    stored = StoredEpisodes.read(episodes)
    predicted = predict(head.eval(), stored, *read_features(features))
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
