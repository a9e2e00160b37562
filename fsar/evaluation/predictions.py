"""The file of predictions of one model: predicted label and logits for every query of every test."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fsar.errors import UserError
from fsar.files import atomic
from fsar.seal import OPEN, REMEDY, seal, whole

# Entries of the file's metadata.
MADE, PARTS, VIEWS, TEXT_WEIGHTS = "made_from", "parts", "views", "text_weights"
# A test is one method at one way and shot. It has its own row groups, so it can be read without the others.
PREDICTIONS_SCHEMA = pa.schema(
    [
        ("method", pa.string()),
        ("way", pa.int16()),
        ("shot", pa.int16()),
        ("episode", pa.int32()),
        ("label", pa.int16()),  # true label in the episode; −1 of an unknown query
        ("class_name", pa.dictionary(pa.int32(), pa.string())),  # true class
        ("video_id", pa.dictionary(pa.int32(), pa.string())),  # of the query
        ("predicted", pa.int16()),  # predicted label in the episode
        # (N,) of the classes by label; in the 32 bits of the computation, so that the largest is that of `predicted`.
        ("logits", pa.list_(pa.float32())),
    ]
)

# Where episodes have unknown queries: rows with the label −1, and what else a method says of every query.
WITH_UNKNOWN_SCHEMA = pa.schema(
    [
        *PREDICTIONS_SCHEMA,
        ("nearness", pa.float32()),  # of the nearest prototype: minus its distance, or its similarity
        ("text", pa.float32()),  # the largest logit of the class names alone
        ("known", pa.float32()),  # how sure a head is that the query is of one of the classes
    ]
)


def read_predictions(
    path: str | Path, method: str, way: int, shot: int, columns: Sequence[str] | None = None, unknown: bool = False
) -> pd.DataFrame:
    """Read one test from a file of predictions: a row per query, in the order of the episodes.

    Unknown queries are left out unless they are asked for. With several draws of the videos' frames (`views_of`), all
    rows of each come after those of the one before.

    Raises:
        UserError: the file is not there or damaged, or has no such test.
    """
    test = [("method", "==", method), ("way", "==", way), ("shot", "==", shot)]
    with whole(path):
        if _check_kind(path) == WITH_UNKNOWN_SCHEMA and not unknown:
            test.append(("label", ">=", 0))
        table = pq.read_table(path, columns=None if columns is None else list(columns), filters=test)
    if not table.num_rows:
        raise UserError(f"{path} has no test of {method}, {way}-way {shot}-shot; delete it, and it is made again")
    return table.to_pandas()


@contextmanager
def predictions_writer(
    path: Path,
    made: Mapping[str, str],
    parts: int = 1,
    views: int = 1,
    text_weights: Mapping[int, float] = MappingProxyType({}),
    unknown: bool = False,
) -> Iterator[pq.ParquetWriter]:
    """Yield a writer of tables of `schema_of(unknown)`. The file appears at the end of the block, with a seal.

    Args:
        path: Parquet file to write.
        made: what they are made from (`fsar.evaluation.made_from`).
        parts: number of jobs that the predictions come from.
        views: number of draws of the videos' frames.
        unknown: whether episodes have unknown queries.
        text_weights: of the class names, by shot, where validation classes chose it.
    """
    about = {"seal": OPEN, MADE: json.dumps(dict(made), sort_keys=True), PARTS: str(parts)}
    about |= {VIEWS: str(views)} if views > 1 else {}
    about |= {TEXT_WEIGHTS: json.dumps(dict(text_weights))} if text_weights else {}
    with atomic(path) as temporary:
        with pq.ParquetWriter(temporary, schema_of(unknown).with_metadata(about), compression="zstd") as writer:
            yield writer
        seal(temporary)


def predictions_made_from(path: str | Path) -> dict[str, str]:
    """Return what predictions were made from; empty if unknown.

    Raises:
        UserError: the file is not there, or is damaged.
    """
    with whole(path):
        _check_kind(path)
        return json.loads((pq.read_schema(path).metadata or {}).get(MADE.encode(), b"{}"))


def views_of(path: str | Path) -> int:
    """Return how many draws of the videos' frames a file's tests were made with."""
    return int((pq.read_schema(path).metadata or {}).get(VIEWS.encode(), b"1"))


def text_weight_of(path: str | Path, shot: int) -> float | None:
    """Return the weight of class names that validation classes chose for tests of a shot; None where none was."""
    weights = json.loads((pq.read_schema(path).metadata or {}).get(TEXT_WEIGHTS.encode(), b"{}"))
    return weights.get(str(shot))


def parts_of_file(path: Path) -> int | None:
    """Return the number of jobs that a file's predictions come from; None if the file is missing or damaged."""
    try:
        return int(pq.read_schema(path).metadata[PARTS.encode()])
    except (OSError, pa.ArrowException, TypeError, KeyError, ValueError):
        return None


def schema_of(unknown: bool) -> pa.Schema:
    """Return the schema of predictions of episodes with or without unknown queries."""
    return WITH_UNKNOWN_SCHEMA if unknown else PREDICTIONS_SCHEMA


def with_unknown(path: str | Path) -> bool:
    """Tell whether a file of predictions is of episodes with unknown queries.

    Raises:
        UserError: the file is not there, or is damaged.
    """
    with whole(path):
        return _check_kind(path) == WITH_UNKNOWN_SCHEMA


def _check_kind(path: str | Path) -> pa.Schema:
    """Return which of the two schemas a file has; raises UserError if it has neither."""
    found = pq.read_schema(path)
    for schema in (PREDICTIONS_SCHEMA, WITH_UNKNOWN_SCHEMA):
        if found.equals(schema):
            return schema
    raise UserError(f"{path} is another kind of file than predictions. {REMEDY}.")


def right_by_episode(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the share of right predictions in each episode: (E,)."""
    episode, right = table["episode"].to_numpy(np.int64), (table["label"] == table["predicted"]).to_numpy(np.float64)
    asked = np.bincount(episode)
    return np.bincount(episode, right)[asked > 0] / asked[asked > 0]
