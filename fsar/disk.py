"""What a disk says when a file cannot be written, as a sentence: whichever library met it, and however that puts it."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

# What is wrong, and what to do. Libraries that are not written in Python put the number into their message.
FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your quota of disk space is used up"}
REFUSED = {
    errno.EROFS: "it is on a disk that is mounted read-only",
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
}
NUMBER = re.compile(r"(?:os error|errno)[ =]*(\d+)", re.IGNORECASE)
# What PyTorch says of a file that it cannot write, without a number.
WITHOUT_NUMBER = re.compile(r"PytorchStreamWriter|iostream error|unexpected pos|file write failed", re.IGNORECASE)
NEARLY_FULL = 2**20  # bytes


def why_not_written(error: BaseException, path: Path, temporary: Path | None = None) -> str | None:
    """Say why a file could not be written, if an error is of that kind."""
    for cause in _chain(error):
        if (number := _number(cause)) is not None and _is_of(cause, number, path, temporary):
            if number in FULL:
                return _full(path, FULL[number])
            if number in REFUSED:
                return f"{path} cannot be written: {REFUSED[number]}. Mend that, and run the same command again."
            return _gone(path)
        if WITHOUT_NUMBER.search(str(cause)):
            return _without_number(path)
    # The folder was made before anything was written, whatever a library says of it now.
    return _gone(path) if temporary is not None and not path.parent.is_dir() else None


def why_stopped(error: BaseException, log_file: Path) -> str | None:
    """Say of an error of a whole job what the system refused, if it is of that kind.

    Args:
        error: that ended the job.
        log_file: of the job, for a file that is not known.
    """
    for cause in _chain(error):
        if isinstance(cause, OSError) and cause.errno in {*FULL, errno.EROFS}:
            return why_not_written(cause, Path(cause.filename or log_file))
        if isinstance(cause, OSError) and cause.errno in REFUSED and cause.filename is not None:
            return f"{cause.filename} cannot be used: {cause.strerror}. Mend that, and run the same command again."
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _number(error: BaseException) -> int | None:
    """Return the number of the system's error, if it is one that concerns writing."""
    number = error.errno if isinstance(error, OSError) and error.errno else None
    if number is None and (match := NUMBER.search(str(error))):
        number = int(match[1])
    if number is None:  # PyTorch gives the words alone
        number = next((own for own in {**FULL, **REFUSED} if os.strerror(own) in str(error)), None)
    return number if number in {**FULL, **REFUSED, errno.ENOENT: ""} else None


def _is_of(error: BaseException, number: int, path: Path, temporary: Path | None) -> bool:
    """Tell whether an error is of writing this file, and not of reading another: those name theirs."""
    if number in FULL or number == errno.EROFS:
        return True
    named = getattr(error, "filename", None)
    if named is not None and os.fspath(named) not in {str(path), str(temporary), str(path.parent)}:
        return False
    return number != errno.ENOENT or not path.parent.is_dir()


def _gone(path: Path) -> str:
    if os.path.lexists(path.parent):
        return f"{path} cannot be written: {path.parent} is no folder. Move it away, and run the same command again."
    return f"{path} cannot be written: its folder is gone. Run the same command again."


def _full(path: Path, what: str) -> str:
    room = f"{what}{_free(path)}"
    return f"{path} cannot be written: {room}. Make room, and run the same command again; what is finished stays."


def _free(path: Path) -> str:
    folder = next((place for place in (path.absolute().parent, *path.absolute().parents) if place.is_dir()), None)
    if folder is None:
        return ""
    return f" ({shutil.disk_usage(folder).free / 1e6:,.0f} MB are free in {folder})"


def _without_number(path: Path) -> str:
    if not path.parent.is_dir():
        return _gone(path)
    if shutil.disk_usage(path.parent).free < NEARLY_FULL:
        return _full(path, FULL[errno.ENOSPC])
    if not os.access(path.parent, os.W_OK):
        return f"{path} cannot be written: {REFUSED[errno.EACCES]}. Mend that, and run the same command again."
    return _full(path, "the disk is full, or your quota is used up, or it cannot be written to")
