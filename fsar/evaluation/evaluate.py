"""Evaluation: all tests of a model, on features of its videos, to one file of predictions."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.episode_logits import DecidesBy, episode_logits
from fsar.evaluation.feature_file import read_features
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA
from fsar.fabric import one_device
from fsar.files import atomic
from fsar.model.heads.head import Head

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedTest:
    """One test of a model.

    Attributes:
        method: its key, for the file of predictions.
        decides_by: the support videos, the class names, or both (see `fsar.model.methods.Method`).
        way, shot: N and K of its episodes.
        episodes: the stored episodes.
        inductive: queries are asked alone (see `fsar.model.methods.Method`).
    """

    method: str
    decides_by: DecidesBy
    way: int
    shot: int
    episodes: Path
    inductive: bool = True


def evaluate_model(
    head: Head, tests: Sequence[PlannedTest], features: Path, path: Path, device: str, threads: int
) -> None:
    """Run all tests of a model and write every prediction, a row per query; tests are written one after the other.

    Args:
        head: with its trained weights.
        tests: what to test with.
        features: of the test videos, under the same model.
        path: Parquet file to write, see `PREDICTIONS_SCHEMA`.
        device: auto, cpu or cuda.
        threads: cores of the job.
    """
    where = one_device(device, "fp32", threads)
    video_rows, stored, class_rows, text = read_features(features)
    head, text = head.eval().to(where), text.to(where)
    stored = {name: videos.to(where) for name, videos in stored.items()}
    with atomic(path) as temporary, pq.ParquetWriter(temporary, PREDICTIONS_SCHEMA, compression="zstd") as writer:
        for test in tests:
            episodes = StoredEpisodes.read(test.episodes)
            parts = episode_logits(
                head, episodes, video_rows, stored, class_rows, text, test.decides_by, test.inductive
            )
            logits = torch.cat([part.cpu() for part in parts]).numpy()  # (E, N·Q, N)
            table = _rows(test, episodes, logits)
            writer.write_table(pa.Table.from_pandas(table, PREDICTIONS_SCHEMA, preserve_index=False))
            accuracy = (table["label"] == table["predicted"]).mean()
            log.info("%s, %d-way %d-shot: accuracy %.4f", test.method, test.way, test.shot, accuracy)


def _rows(test: PlannedTest, episodes: StoredEpisodes, logits: NDArray[np.float32]) -> pd.DataFrame:
    """Return the rows of a test, in the order of its episodes, labels and queries."""
    count, way, queries = episodes.queries.shape
    return pd.DataFrame(
        {
            "method": test.method,
            "way": test.way,
            "shot": test.shot,
            "episode": np.repeat(np.arange(count), way * queries),
            "label": np.tile(np.repeat(np.arange(way), queries), count),
            "class_name": pd.Categorical.from_codes(
                episodes.classes.ravel().repeat(queries), categories=episodes.class_names
            ),
            "video_id": pd.Categorical.from_codes(episodes.queries.ravel(), categories=episodes.video_ids),
            "predicted": logits.argmax(axis=-1).ravel(),
            "logits": list(logits.reshape(-1, way)),
        }
    )
