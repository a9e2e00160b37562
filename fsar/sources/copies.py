"""Finds files that are listed more than once: by another name, by a link, or as a copy with the same bytes."""

import hashlib
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from fsar.files import on_disk

GLANCE = 4096  # bytes at the beginning, middle and end; enough to distinguish most files


class Repeated(NamedTuple):
    """Two entries of a list that are the same file, or two files with the same bytes.

    Attributes:
        first, other: their numbers in the list.
        is_copy: whether they are two files.
    """

    first: int
    other: int
    is_copy: bool


class _File(NamedTuple):
    size: int
    identity: tuple[int, int]
    number: int
    path: str


def repeated_files(paths: Iterable[str]) -> list[Repeated]:
    """Return each entry that is the same file as one before it, or has the same bytes; in the order of the list.

    Only files of equal size are read, and read to the end only if beginning, middle and end are equal. A missing or
    unreadable file equals no other.
    """
    files = [file for number, path in enumerate(paths) if (file := _file(number, on_disk(path)))]
    found = []
    for _, of_size in groupby(sorted(files), key=lambda file: file.size):
        once = []
        for _, same in groupby(of_size, key=lambda file: file.identity):
            first, *others = same
            found += [Repeated(first.number, other.number, is_copy=False) for other in others]
            once.append(first)
        for copies in _with_equal_bytes(once):
            first, *others = sorted(copies, key=lambda file: file.number)
            found += [Repeated(first.number, other.number, is_copy=True) for other in others]
    return sorted(found, key=lambda pair: pair.other)


def _file(number: int, path: str) -> _File | None:
    """Return a file with its size and the system's id of it; None if it is missing or empty."""
    try:
        state = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return _File(state.st_size, (state.st_dev, state.st_ino), number, path) if state.st_size else None


def _with_equal_bytes(files: Sequence[_File]) -> Iterator[list[_File]]:
    """Yield the groups of files of equal size that have equal bytes."""
    for alike in _groups(files, _glance):
        yield from _groups(alike, _checksum)


def _groups(files: Sequence[_File], key: Callable[[_File], Hashable]) -> Iterator[list[_File]]:
    """Yield groups of several files with the same key; unreadable files have none."""
    if len(files) < 2:
        return
    by_key: dict[Hashable, list[_File]] = {}
    for file in files:
        try:
            by_key.setdefault(key(file), []).append(file)
        except OSError:
            continue
    yield from (group for group in by_key.values() if len(group) > 1)


def _glance(file: _File) -> bytes:
    with open(file.path, "rb", buffering=0) as content:  # noqa: PTH123
        parts = [content.read(GLANCE)]
        for place in (file.size // 2, file.size - GLANCE):
            if place >= GLANCE:
                content.seek(place)
                parts.append(content.read(GLANCE))
    return hashlib.blake2b(b"".join(parts)).digest()


def _checksum(file: _File) -> bytes:
    with open(file.path, "rb") as content:  # noqa: PTH123
        return hashlib.file_digest(content, "blake2b").digest()
