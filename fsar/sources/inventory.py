"""Inventories: the existing video files of a data set."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from fsar.errors import UserError
from fsar.files import from_working_directory, named, on_disk, readable, write_parquet
from fsar.sources.is_video import is_usual
from fsar.sources.schemas import INVENTORY_SCHEMA
from fsar.sources.walk import LeftOut, Walk, is_kept

log = logging.getLogger(__name__)


def write_inventory(videos: Iterable[Path], path: Path) -> None:
    """Write the inventory of these files."""
    rows = [
        (readable(v.parent.name), readable(v.name), readable(from_working_directory(v)), v.stat().st_size)
        for v in sorted(set(videos))
    ]
    write_parquet(path, pd.DataFrame(rows, columns=INVENTORY_SCHEMA.names), INVENTORY_SCHEMA)


def videos_of_folder(folder: Path) -> pd.DataFrame:
    """Return the files below a folder that may be videos, at any depth, sorted by path, without opening any.

    These are files with a video suffix, and others without such a file of the same name beside them. For the latter
    `fsar.sources.is_video` must look inside. A text beside its video is left out.

    Returns:
        folder (the last one, which names the class in some data sets), file, path (relative to the working directory
        where it lies below it, absolute elsewhere), as `fsar.files.readable` writes them; bytes (−1 where the system
        does not state it), mtime_ns.

    Raises:
        UserError: there is no such folder, or no file that may be a video in it.
    """
    return _videos(folder)[0]


def _videos(folder: Path) -> tuple[pd.DataFrame, LeftOut]:
    place = named(str(folder))
    if not os.path.isdir(place):  # noqa: PTH112 (says no where Path raises)
        raise UserError(f"There is no folder {readable(folder)} (section sources, key folder)")
    walk = Walk(from_working_directory(place))
    found: list[tuple[str, str, str, int, int]] = []
    others: list[tuple[str, str, str, int, int]] = []
    for name, entry in walk:
        (found if is_usual(entry.name) else others).append((name, entry.name, entry.path, *_state(entry)))
    stems = {os.path.splitext(path)[0] for _, _, path, _, _ in found}  # noqa: PTH122
    for row in others:
        if os.path.splitext(row[2])[0] in stems:  # noqa: PTH122
            walk.left_out.no_video(row[1])
        else:
            found.append(row)
    if not found:
        raise _no_video(folder, walk.left_out)
    rows = [(readable(own), readable(file), readable(path), size, time) for own, file, path, size, time in found]
    rows.sort(key=lambda row: row[2])
    return pd.DataFrame(rows, columns=["folder", "file", "path", "bytes", "mtime_ns"]), walk.left_out


def _state(entry: "os.DirEntry[str]") -> tuple[int, int]:
    """Return size and modification time of a file; impossible values if the system does not state them."""
    try:
        state = entry.stat()
    except OSError:
        return -1, 0
    return state.st_size, state.st_mtime_ns


def list_folder(folder: Path, path: Path) -> None:
    """Write the inventory of the videos below a folder, at any depth, and log what was skipped.

    Raises:
        UserError: there is no such folder, or no video in it.
    """
    table, left_out = _videos(folder)
    videos = table[[is_kept(on_disk(file), left_out) for file in table["path"]]]
    if not len(videos):
        raise _no_video(folder, left_out)
    if left_out:
        log.warning("%s: left out are %s", readable(folder), left_out)
    write_parquet(path, videos, INVENTORY_SCHEMA)


def _no_video(folder: Path, left_out: LeftOut) -> UserError:
    return UserError(
        f"There is no video below {readable(folder)} (section sources, key folder); it holds {left_out or 'nothing'}"
    )
