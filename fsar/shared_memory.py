"""The memory that loader processes share, /dev/shm: small in many containers, and what it comes to is hard to read."""

import errno
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fsar.errors import UserError

SHARED = Path("/dev/shm")
# What errors of PyTorch's loaders say where there is too little of it; a process that writes past its end is killed.
SIGNS = ("shared memory", "Bus error", "torch_shm_manager", str(SHARED))


@contextmanager
def shared_memory_told(remedy: str) -> Iterator[None]:
    """Say it in a sentence where something that loads with processes fails for want of shared memory.

    Args:
        remedy: which key does with less of it, beside more memory.

    Raises:
        UserError: in place of what PyTorch or multiprocessing raise, at the start of the processes or later.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        # That a process has ended is raised from why it has.
        reason = next((own for own in (error, error.__cause__, error.__context__) if _of_shared_memory(own)), None)
        if reason is None:
            raise
        lines = [line for line in str(reason).splitlines() if line.strip()]
        raise UserError(
            f"Loader processes share memory in {SHARED}, which did not suffice{_size()} ({lines[-1].strip()}). Give it "
            "more: in a container start it with --shm-size=8g (Docker, Podman), or mount a volume in memory there "
            f"(Kubernetes); on a machine of your own see `df {SHARED}`. Or {remedy}"
        ) from error


def _of_shared_memory(error: BaseException | None) -> bool:
    if error is None:
        return False
    text = str(error)
    if "DataLoader worker" in text and "No space left on device" in text:
        return True
    if any(sign in text for sign in SIGNS):
        return True
    # Queues and locks of processes lie there, too: they say no more than that a file could not be made.
    calls = [Path(frame.filename).parts for frame in traceback.extract_tb(error.__traceback__)]
    if not isinstance(error, OSError) or not any(parts[-2:-1] == ("multiprocessing",) for parts in calls):
        return False
    return error.errno in (errno.ENOSPC, errno.EACCES, errno.ENOENT, errno.ENOSYS)


def _size() -> str:
    with suppress(OSError):
        usage = shutil.disk_usage(SHARED)
        return f": {usage.free / 1e6:.0f} of its {usage.total / 1e6:.0f} MB are free now"
    return ": there is none here"
