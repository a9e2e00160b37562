"""The file of predictions of one model: what every query of every test was taken for, with its logits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fsar.errors import UserError

# A test is one method at one way and shot; its rows are row groups of their own, so one is read without the others.
TEST = ("method", "way", "shot")
PREDICTIONS_SCHEMA = pa.schema(
    [
        ("method", pa.string()),
        ("way", pa.int16()),
        ("shot", pa.int16()),
        ("episode", pa.int32()),
        ("label", pa.int16()),  # true label in the episode
        ("class_name", pa.dictionary(pa.int32(), pa.string())),  # true class
        ("video_id", pa.dictionary(pa.int32(), pa.string())),  # of the query
        ("predicted", pa.int16()),  # predicted label in the episode
        # (N,) of the classes in the order of their labels; 32 bits, as computed, so that their largest is `predicted`.
        ("logits", pa.list_(pa.float32())),
    ]
)


def read_predictions(
    path: str | Path, method: str, way: int, shot: int, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read one test from a file of predictions: a row per query, in the order of the episodes.

    Raises:
        UserError: the file has no such test.
    """
    test = [("method", "==", method), ("way", "==", way), ("shot", "==", shot)]
    table = pq.read_table(path, columns=None if columns is None else list(columns), filters=test)
    if not table.num_rows:
        raise UserError(f"{path} has no test of {method}, {way}-way {shot}-shot; delete it, and it is made again")
    return table.to_pandas()


def right_by_episode(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the share of right predictions in each episode: (E,)."""
    right = table["label"] == table["predicted"]
    return right.groupby(table["episode"].to_numpy()).mean().to_numpy(np.float64)
