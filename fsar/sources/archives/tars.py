"""Reads tar archives, compressed or not, as streams: one or several files, each of which may lie in a zip."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

from fsar.errors import UserError
from fsar.sources.archives.members import CHUNK, MAX_RATIO, MAX_RATIO_FROM, MAX_VIDEO, copy, reading
from fsar.sources.archives.zips import open_member

MAX_HEADER = 1 << 20  # bytes; of a tar's header of a member: name, times, attributes


def extract_tar(
    stream: io.RawIOBase, size: int, target: Callable[[str], Path | None], name: str
) -> Iterator[tuple[str, Path]]:
    """Write some members of a tar stream, compressed or not, as they pass by.

    Args:
        stream: the archive, read once from its start to its end.
        size: of the archive in bytes; it limits the unpacked size.
        target: returns the path for a member of this name, or None to skip it.
        name: of the archive, for messages.

    Yields:
        The name and the path of each file written.

    Raises:
        UserError: it is damaged or ends early, or unpacks to far more than its size.
    """
    limit = max(MAX_RATIO * size, MAX_RATIO_FROM)
    passed = 0
    with reading(name):
        # tarfile would unpack gzip itself, but without checking its checksum.
        buffered = io.BufferedReader(stream)  # type: ignore[type-var]
        content = _Metered(gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered, name)
        with tarfile.open(fileobj=content, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                passed += member.size
                path = target(member.name) if member.isreg() and not member.issparse() else None
                if passed > limit or member.size < 0 or (path is not None and member.size > MAX_VIDEO):
                    raise UserError(f"{name} unpacks to more than {MAX_RATIO} times its size, or to no videos; refused")
                content.allow(member.size)
                if path is None:
                    continue
                file = archive.extractfile(member)
                assert file is not None  # it is a regular one
                with closing(file):
                    copy(file, path, member.size, f"{member.name} in {name}")
                yield member.name, path
        while passed <= limit and (rest := content.rest(CHUNK)):  # to the end, where the checksum stands
            passed += len(rest)


class _Metered:
    """A stream that gives no more than the allowed members and a header: a header that states 2 GB is refused."""

    def __init__(self, stream: io.BufferedIOBase, name: str):
        self._stream, self._name = stream, name
        self._left = MAX_HEADER

    def allow(self, size: int) -> None:
        """Allow reading a member of this size, and the header of the next one."""
        self._left = size + MAX_HEADER

    def read(self, size: int) -> bytes:
        """Return the next bytes, as a stream does."""
        if self._left <= 0:
            raise UserError(f"{self._name} says more than {MAX_HEADER} bytes of a member, as no archive of videos does")
        found = self._stream.read(size)
        self._left -= len(found)
        return found

    def rest(self, size: int) -> bytes:
        """Return the next bytes after the last member."""
        return self._stream.read(size)


class Joined(io.RawIOBase):
    """Files one after the other, read as one; each may be a zip that holds the real one."""

    def __init__(self, parts: list[Path]):
        super().__init__()
        self._files = self._open(parts)
        self._current: IO[bytes] | None = None
        self._begun = False

    @staticmethod
    def _open(parts: list[Path]) -> Iterator[IO[bytes]]:
        for part in parts:
            if part.suffix == ".zip":
                with zipfile.ZipFile(part) as archive:
                    for entry in sorted(archive.infolist(), key=lambda info: info.filename):
                        if not entry.is_dir():
                            with open_member(archive, entry) as file:
                                yield file
            else:
                with part.open("rb") as file:
                    yield file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        if not self._begun:  # here, where errors of a part are reported for the archive
            self._begun, self._current = True, next(self._files, None)
        while self._current is not None:
            if chunk := self._current.read(len(buffer)):
                buffer[: len(chunk)] = chunk
                return len(chunk)
            self._current = next(self._files, None)
        return 0
