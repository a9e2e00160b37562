"""Inventories: which video files of a data set there are, wherever they came from."""

from collections.abc import Iterable
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


def list_folder(folder: Path, path: Path) -> None:
    """Write the inventory of the videos below a folder, at any depth.

    Raises:
        UserError: there is no such folder, or no video in it.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} (section sources, key folder)")
    videos = [file for file in folder.rglob("*") if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file()]
    if not videos:
        raise UserError(f"There is no video below {folder} (section sources, key folder)")
    write_inventory(videos, path)
