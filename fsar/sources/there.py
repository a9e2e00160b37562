"""The existing videos of a benchmark, with sizes and times, on which a planned run depends."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.sources.data_sets import FILES
from fsar.sources.published import present_videos

GONE = (-1, 0)


def state_of(paths: Iterable[str]) -> list[tuple[int, int]]:
    """Return size in bytes and modification time in nanoseconds of each file; (−1, 0) if it is missing."""
    states = []
    for path in paths:
        try:
            state = os.stat(path)  # noqa: PTH116
            states.append((state.st_size, state.st_mtime_ns))
        except (OSError, ValueError):  # an impossible name
            states.append(GONE)
    return states


def fingerprint(rows: pd.DataFrame) -> str:
    """Return 16 hexadecimal digits that change with the path, bytes and mtime_ns of any row."""
    lines = sorted(zip(rows["path"], rows["bytes"], rows["mtime_ns"], strict=True))
    return hashlib.sha256(repr([(path, int(size), int(time)) for path, size, time in lines]).encode()).hexdigest()[:16]


def listed_videos(kind: str, lists: Sequence[Path], inventory: pd.DataFrame) -> pd.DataFrame:
    """Return video_id and path of the existing videos of a published benchmark, as in its manifest.

    Args:
        kind: which benchmark, such as hmdb51.
        lists: its split lists, train, val and test; or those that a user brings.
        inventory: the files of its data set, with the columns folder, file and path.
    """
    found = present_videos(kind, FILES[PUBLISHED[kind].name].entries(lists), inventory)
    rows = [(entry.video, path) for entry, path in found if path is not None]
    return pd.DataFrame(rows, columns=["video_id", "path"])
