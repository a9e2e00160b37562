"""Members of archives: choosing them, limiting their size, and writing one to a file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fsar.errors import NotWritableError, UserError
from fsar.files import atomic

CHUNK = 1 << 20  # bytes
MAX_VIDEO = 1 << 30  # bytes; the longest video of the benchmarks has a tenth of it
# Videos do not compress: an archive that unpacks to many times its size does not hold videos.
MAX_RATIO = 20
MAX_RATIO_FROM = 1 << 26  # bytes; small archives may hold text and zeros


@dataclass(frozen=True)
class Member:
    """A regular file in an archive: its name there, and its size in bytes."""

    name: str
    size: int


@contextmanager
def reading(archive: object) -> Iterator[None]:
    """Turn whatever a library raises about a damaged archive into a sentence.

    Raises:
        UserError: something was raised; a UserError stays as it is.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{archive} cannot be read as an archive: {reason}") from error


def chosen_members(archive: Path, wanted: Mapping[str, Path], members: list[Member]) -> list[Member]:
    """Return the members that are wanted, in the order of the archive.

    Raises:
        UserError: one is missing, or larger than any video.
    """
    chosen = [member for member in members if member.name in wanted]
    if absent := set(wanted) - {member.name for member in chosen}:
        raise UserError(f"{archive} has no file {sorted(absent)[0]!r}")
    check_sizes(archive, chosen)
    return chosen


def check_sizes(archive: Path, members: list[Member]) -> None:
    """Refuse an archive whose files are larger than videos can be.

    Raises:
        UserError: one is, or all together are.
    """
    for member in members:
        if member.size > MAX_VIDEO:
            raise UserError(f"{member.name!r} in {archive} claims {member.size} bytes, more than any video; refused")
    total, limit = sum(member.size for member in members), MAX_RATIO * archive.stat().st_size
    if total > max(limit, MAX_RATIO_FROM):
        raise UserError(f"{archive} would unpack to {total} bytes, more than {MAX_RATIO} times its size; refused")


def copy(stream: IO[bytes], path: Path, size: int, name: str) -> None:
    """Copy exactly `size` bytes to a file, which appears when it is complete.

    Args:
        stream: of the member.
        path: where it goes.
        size: in bytes.
        name: of the member, for messages.

    Raises:
        UserError: the stream ends early or cannot be read.
        NotWritableError: the file cannot be written.
    """
    try:
        with atomic(path) as temporary, temporary.open("wb") as file:
            missing = size
            while missing:
                with reading(name):
                    piece = stream.read(min(CHUNK, missing))
                if not piece:
                    raise UserError(f"{name} ends {missing} bytes early: the archive is damaged")
                file.write(piece)
                missing -= len(piece)
    except OSError as error:
        raise NotWritableError(f"{path} cannot be written: {error.strerror or error}") from None
