"""Checksums of what is tested, lists and episodes: of their contents, so that every machine has the same."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fsar.episodes.stored import SCHEMA
from fsar.files import read_parquet
from fsar.sources.schemas import MANIFEST_SCHEMA

QUERY_COLUMNS = ["episode", "label", "class_name", "video_id"]


def of_rows(table: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return the SHA-256 of columns of a table, as CSV in UTF-8 with a header and lines that end in a line feed."""
    text = table[list(columns)].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()


def of_lists(manifest: Path) -> str:
    """Return the checksum of a benchmark's videos with class and split. Their paths do not count."""
    columns = ["video_id", "class_name", "split"]
    return of_rows(read_parquet(manifest, MANIFEST_SCHEMA, columns).sort_values("video_id"), columns)


def of_queries(predictions: pd.DataFrame, views: int = 1) -> str:
    """Return the checksum of queries, in the order of the episodes: of stored episodes, or of predictions.

    Args:
        predictions: their rows.
        views: how often they are there, one after the other (`fsar.evaluation.predictions.views_of`).
    """
    return of_rows(predictions.iloc[: len(predictions) // views], QUERY_COLUMNS)


def read_episodes(path: Path) -> tuple[str, str, int]:
    """Return of stored episodes: their checksum, that of their queries, and how many videos are in them."""
    columns = ["episode", "label", "role", "class_name", "video_id"]
    table = read_parquet(path, SCHEMA, columns)
    return of_rows(table, columns), of_queries(table[table["role"] == "query"]), table["video_id"].nunique()
