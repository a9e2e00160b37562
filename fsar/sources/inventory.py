"""Inventories: which video files of a data set there are, wherever they came from."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fsar.errors import UserError
from fsar.files import from_working_directory, write_parquet

INVENTORY_SCHEMA = pa.schema(
    [
        ("folder", pa.string()),  # the folder the file lies in, which names its class in some data sets
        ("file", pa.string()),
        ("path", pa.string()),  # relative to the working directory where it lies below it, absolute elsewhere
        ("bytes", pa.int64()),
    ]
)
VIDEO_SUFFIXES = {".avi", ".mp4", ".webm", ".mkv", ".mov", ".m4v"}


def write_inventory(videos: Iterable[Path], path: Path) -> None:
    """Write the inventory of these files."""
    rows = [(v.parent.name, v.name, from_working_directory(v), v.stat().st_size) for v in sorted(set(videos))]
    write_parquet(path, pd.DataFrame(rows, columns=INVENTORY_SCHEMA.names), INVENTORY_SCHEMA)


def videos_of_folder(folder: Path) -> pd.DataFrame:
    """Return the videos below a folder, at any depth, sorted by path.

    Returns:
        folder (the last one, which names the class in some data sets), file, path (relative to the working directory
        where it lies below it, absolute elsewhere), bytes, mtime_ns.

    Raises:
        UserError: there is no such folder, or no video in it.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} (section sources, key folder)")
    rows = sorted(_walk(from_working_directory(folder)), key=lambda row: row[2])
    if not rows:
        raise UserError(f"There is no video below {folder} (section sources, key folder)")
    return pd.DataFrame(rows, columns=["folder", "file", "path", "bytes", "mtime_ns"])


def _walk(folder: str) -> Iterator[tuple[str, str, str, int, int]]:
    name = os.path.basename(os.path.abspath(folder))  # noqa: PTH119 (strings: a Path for each of 220,000 takes seconds)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in VIDEO_SUFFIXES and entry.is_file():  # noqa: PTH122
                state = entry.stat()
                yield name, entry.name, entry.path, state.st_size, state.st_mtime_ns


def list_folder(folder: Path, path: Path) -> None:
    """Write the inventory of the videos below a folder, at any depth.

    Raises:
        UserError: there is no such folder, or no video in it.
    """
    write_parquet(path, videos_of_folder(folder), INVENTORY_SCHEMA)
