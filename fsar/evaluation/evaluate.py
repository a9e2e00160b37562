"""Evaluation: all tests of a model, on features of its videos, to one file of predictions."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.episodes.stored import StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.episode_logits import DecidesBy, episode_logits
from fsar.evaluation.feature_file import read_features
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA, TEST
from fsar.fabric import one_device
from fsar.files import atomic
from fsar.model.heads.head import Head
from fsar.model.needs import Tensors

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


@dataclass(frozen=True)
class KeptVideos:
    """What tests look at: what is kept of a split's videos, and the text features of its classes.

    Attributes:
        video_rows, stored: row of each video, and what is kept of them, (V, …) each.
        class_rows, text: row of each class in (C, D) text features, or (C, S, D) of each text.
    """

    video_rows: dict[str, int]
    stored: Tensors
    class_rows: dict[str, int]
    text: Tensor


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
    stored = {name: videos.to(where) for name, videos in stored.items()}
    kept = KeptVideos(video_rows, stored, class_rows, text.to(where))
    write_predictions(head.eval().to(where), tests, kept, path)


def write_predictions(
    head: Head, tests: Sequence[PlannedTest], kept: KeptVideos, path: Path, part: tuple[int, int] = (0, 1)
) -> None:
    """Run tests and write every prediction, or those of a part of each test's episodes.

    Args:
        head: in evaluation mode, where the text features are.
        tests: what to test with.
        kept: of all videos and classes that occur.
        path: Parquet file to write, see `PREDICTIONS_SCHEMA`.
        part: which of how many parts. Their borders lie between episodes that are compared in one call, so that the
            number of parts changes no digit.

    Raises:
        UserError: a logit is not finite, or a method looks at class names, of which there are no text features.
    """
    number, parts = part
    with atomic(path) as temporary, pq.ParquetWriter(temporary, PREDICTIONS_SCHEMA, compression="zstd") as writer:
        for test in tests:
            episodes = StoredEpisodes.read(test.episodes)
            calls = -(-len(episodes.queries) // head.episodes_at_once)
            start, end = (head.episodes_at_once * (calls * place // parts) for place in (number, number + 1))
            own = episodes.between(start, end)
            if not len(own.queries):
                continue
            subject = f"The method {test.method} ({test.way}-way {test.shot}-shot)"
            names_count = test.decides_by != "few-shot" or head.inputs.components.compares_with_text
            if names_count and not kept.text.shape[-1]:
                raise UserError(
                    f"{subject} looks at class names, but the backbone has no text encoder: choose methods that do not "
                    "(run.methods), or weights of a whole CLIP (backbones.….weights)"
                )
            found = episode_logits(
                head, own, kept.video_rows, kept.stored, kept.class_rows, kept.text, test.decides_by, test.inductive,
                subject,
            )  # fmt: skip
            logits = torch.cat([each.cpu() for each in found]).numpy()  # (E, N·Q, N)
            table = _rows(test, own, logits, start)
            writer.write_table(pa.Table.from_pandas(table, PREDICTIONS_SCHEMA, preserve_index=False))
            accuracy = (table["label"] == table["predicted"]).mean()
            log.info("%s, %d-way %d-shot: accuracy %.4f", test.method, test.way, test.shot, accuracy)


def gather_predictions(parts: Sequence[Path], path: Path) -> None:
    """Put the parts of `write_predictions` together: for each test one group of rows, in the order of its episodes."""
    files = [pq.ParquetFile(part) for part in parts]
    with atomic(path) as temporary, pq.ParquetWriter(temporary, PREDICTIONS_SCHEMA, compression="zstd") as writer:
        tables = [file.read() for file in files]
        tests = pa.concat_tables(tables).select(TEST).to_pandas().drop_duplicates()
        for method, way, shot in tests.itertuples(index=False):
            wanted = (pc.field("method") == method) & (pc.field("way") == way) & (pc.field("shot") == shot)
            writer.write_table(pa.concat_tables([table.filter(wanted) for table in tables]).unify_dictionaries())


def _rows(test: PlannedTest, episodes: StoredEpisodes, logits: NDArray[np.float32], first: int) -> pd.DataFrame:
    """Return the rows of a test, in the order of its episodes (`first` is the first's number), labels and queries."""
    count, way, queries = episodes.queries.shape
    return pd.DataFrame(
        {
            "method": test.method,
            "way": test.way,
            "shot": test.shot,
            "episode": np.repeat(first + np.arange(count), way * queries),
            "label": np.tile(np.repeat(np.arange(way), queries), count),
            "class_name": pd.Categorical.from_codes(
                episodes.classes.ravel().repeat(queries), categories=episodes.class_names
            ),
            "video_id": pd.Categorical.from_codes(episodes.queries.ravel(), categories=episodes.video_ids),
            "predicted": logits.argmax(axis=-1).ravel(),
            "logits": list(logits.reshape(-1, way)),
        }
    )
