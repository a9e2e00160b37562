"""The checksum that a file of ours carries in itself, so that damage is told and never becomes a number.

It stands once in the file, where its format has room for a text: in the metadata of Parquet and of safetensors, as a
key of JSON, behind the end of what PyTorch writes. It is the SHA-256 of the whole file with zeros in place of its own
digits, so it needs no second file, and moves with the first. A CSV has no room, and has its checksum beside it.
"""

import errno
import hashlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsar.errors import UserError

BEGIN = b"fsar-sha256:"
DIGITS = 64
# What a writer puts into a file, for `seal` to fill in.
OPEN = BEGIN.decode() + DIGITS * "0"
REMEDY = "Delete it, and the same command makes it again"


def seal(path: str | Path) -> None:
    """Fill in the digits of the `OPEN` seal that a file holds once."""
    with Path(path).open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        place = _place(content)
        assert place is not None, f"{path} has no seal"
        content[place : place + DIGITS] = _digest(content, place)


def check_seal(path: str | Path, foreign: bool = False) -> str | None:
    """Compare a file with its seal; return what is wrong with it, or None.

    Args:
        path: of the file.
        foreign: it may be of elsewhere, without a seal, and then nothing is known to be wrong.

    Raises:
        FileNotFoundError, PermissionError: it cannot be opened.
    """
    with Path(path).open("rb") as file:
        if not file.seek(0, 2):
            return None if foreign else "it is empty"
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = _place(content)
            if place is None:
                return None if foreign else "it has no checksum, so it is no file of this version"
            return None if content[place : place + DIGITS] == _digest(content, place) else "its checksum is another one"


def seal_beside(path: Path) -> None:
    """Write the checksum of a file whose format has no room for one, hidden beside it."""
    with path.open("rb") as file:
        beside(path).write_text(hashlib.file_digest(file, "sha256").hexdigest() + "\n", encoding="utf-8")


def check_beside(path: Path) -> None:
    """Compare a file with its checksum beside it, if it has one: a user's own file has none.

    Raises:
        UserError: it is damaged.
    """
    try:
        recorded = beside(path).read_bytes().strip().decode("ascii", "replace")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # there is none, or none can be of this name; whoever reads the file tells the rest
        return
    if found != recorded:
        raise UserError(
            f"{path} is damaged, or was changed since it was written: its checksum is another one. {REMEDY}."
        )


def beside(path: Path) -> Path:
    """Return where the checksum of a file lies that has none in itself."""
    return path.with_name(f".{path.name}.sha256")


@contextmanager
def whole(path: str | Path, remedy: str = REMEDY, foreign: bool = False) -> Iterator[None]:
    """Check a file of ours, and tell as a sentence what goes wrong while the block reads it.

    Args:
        path: of the file.
        remedy: what to do, a sentence without its full stop.
        foreign: it may be of elsewhere, without a seal.

    Raises:
        UserError: it is not there, cannot be read, is damaged, or is another kind of file.
    """
    try:
        if wrong := check_seal(path, foreign):
            raise UserError(f"{path} is damaged: {wrong}. {remedy}.")
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"There is no file {path}. Run the command again that makes it.") from None
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE):
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path} is not the file that is expected there, or damaged ({reason}). {remedy}.") from error


def _place(content: mmap.mmap) -> int | None:
    """Return where the digits begin. A header is at the start, Parquet's at the end; what lies between may be large."""
    near = content.find(BEGIN, 0, 1 << 16)
    place = near if near >= 0 else content.rfind(BEGIN)
    place += len(BEGIN)
    return place if place >= len(BEGIN) and place + DIGITS <= len(content) else None


def _digest(content: mmap.mmap, place: int) -> bytes:
    digest = hashlib.sha256()
    with memoryview(content) as view:
        digest.update(view[:place])
        digest.update(DIGITS * b"0")
        digest.update(view[place + DIGITS :])
    return digest.hexdigest().encode()
