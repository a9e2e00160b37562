"""GPUs of one machine: every job takes its own. Snakemake counts GPUs there, but does not say which is whose.

A job holds a lock on a file per GPU for as long as its process lives: one that crashes frees its GPU. The files lie in
one folder for all users of the machine. In a job of a cluster's scheduler, those that run side by side within it share
its GPUs out in the same way.
"""

import fcntl
import logging
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import IO

from fsar.errors import UserError
from fsar.nodes import is_task

log = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between looks for a free GPU
LOCKS = Path("/tmp/fsar-gpus")  # and not below TMPDIR, which may be another one for each user
OTHER_LOCKS = "FSAR_GPU_LOCKS"  # the variable that names another folder
PLACES = "FSAR_JOBS_PER_GPU"  # the variable that says how many jobs may share a GPU; 1 without it
REMINDER = 600.0  # seconds between words about the wait
# What schedulers name a job by: SLURM, PBS, LSF, Grid Engine, Flux.
JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "FLUX_JOB_ID")


def visible_gpus() -> list[str]:
    """Return the GPUs this process may use: those of CUDA_VISIBLE_DEVICES if it is set, else all of the machine.

    CUDA is not begun: what a process sees of it then, it would see for good.
    """
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        names = [name.strip() for name in named.split(",")]
        return [
            name for name in takewhile(lambda name: name not in ("-1", "NoDevFiles"), names) if name
        ]  # as CUDA does
    if listed := _listed_gpus():
        return listed
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return []
    asked = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    counted = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return [str(number) for number in range(int(counted))] if counted.isdigit() else []


@contextmanager
def own_gpus(count: int, device: str, folder: Path | None = None) -> Iterator[list[str]]:
    """Take `count` GPUs for this process and those it starts, all at once, waiting until so many are free.

    A GPU has as many places as `FSAR_JOBS_PER_GPU` says, one without it. A job takes one place on each of its GPUs,
    where the fewest are taken.

    In a job of a cluster's scheduler that has as many as asked for, they are this process's already. Where there are
    fewer GPUs than asked for, or none, nothing is taken.

    Args:
        count: how many.
        device: of the config; with `cpu` nothing is taken.
        folder: of the locks, the same for all jobs and users of a machine.

    Yields:
        The names of the GPUs taken, which CUDA_VISIBLE_DEVICES then holds.

    Raises:
        UserError: the folder of the locks is none that all users can share, or the number of places is none.
    """
    places = _places()
    job = next((os.environ[name] for name in JOB_VARIABLES if os.environ.get(name)), "")
    follower = "LOCAL_RANK" in os.environ or is_task()  # started by what has taken GPUs for it
    visible = [] if device == "cpu" or follower else visible_gpus()
    by_name = {_identifier(name): name for name in reversed(visible)}  # one that is named twice is one
    visible = [name for name in dict.fromkeys(visible) if name in by_name.values()]
    if count < 1 or len(visible) < count or (job and len(visible) == count and places == 1):
        yield []
        return
    prefix = re.sub(r"[^\w.-]", "-", job) + "-" if job else ""
    names = {name: identifier for identifier, name in by_name.items()}
    files = {name: [f"{prefix}{names[name]}{_suffix(place)}.lock" for place in range(places)] for name in visible}
    folder = folder or Path(os.environ.get(OTHER_LOCKS) or LOCKS)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with ExitStack() as locks:
        shared = locks.enter_context(_shared_folder(folder))
        taken = _take(count, shared, files, locks)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
        log.info("using GPU %s", ", ".join(taken))
        try:
            yield taken
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def set_cublas_workspace(deterministic: bool) -> None:
    """Let cuBLAS give the same bits each time; to be called before PyTorch is imported."""
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _places() -> int:
    """Return how many jobs may share a GPU; raises UserError if the variable is no such number."""
    told = os.environ.get(PLACES, "1")
    if not re.fullmatch(r"0*[1-9]\d{0,2}", told):
        raise UserError(f"The variable {PLACES} is {told!r}: give the number of jobs that may share a GPU, 1 to 999")
    return int(told)


def _suffix(place: int) -> str:
    """Return what tells a place of a GPU from its first one, which older versions know."""
    return f"-{place}" if place else ""


def _take(count: int, folder: int, files: dict[str, list[str]], locks: ExitStack) -> list[str]:
    """Lock a file of each of `count` GPUs, by their names, or none of them, until so many are free.

    One process at a time looks for free ones: two that want several would each hold what the other waits for.
    """
    reminded = -REMINDER
    started = time.monotonic()
    while True:
        used = list(files)
        if _locked(folder):
            with ExitStack() as trying:
                taken: dict[str, IO[str]] = {}
                for round_of_places in zip(*files.values(), strict=True):
                    for name, file in zip(files, round_of_places, strict=True):
                        if len(taken) == count or name in taken:
                            continue
                        if (lock := _try_lock(folder, file)) is not None:
                            taken[name] = trying.enter_context(lock)
                if len(taken) == count:
                    for lock in taken.values():
                        _note_holder(lock)
                    locks.push(trying.pop_all())
                used = [name for name in files if name not in taken]
            fcntl.flock(folder, fcntl.LOCK_UN)
            if len(taken) == count:
                return list(taken)
        waited = time.monotonic() - started
        if waited - reminded >= REMINDER:
            holders = ", ".join(f"{name} by process {_holder(folder, own)}" for name in used for own in files[name])
            log.warning("waiting for a free GPU (%.0f minutes so far): in use are %s", waited / 60, holders)
            reminded = waited
        time.sleep(PAUSE)


def _listed_gpus() -> list[str]:
    """Return the UUIDs of the machine's GPUs, in the driver's order; none where it does not list them."""
    if (program := shutil.which("nvidia-smi")) is None:
        return []
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return re.findall(r"^GPU \d+:.*\(UUID: ([\w-]+)\)", listed, re.MULTILINE)


def _identifier(name: str) -> str:
    """Return what a GPU is called in every job of the machine: schedulers may number those of each job from 0."""
    listed = _listed_gpus()
    if name.isdigit():
        return listed[int(name)] if int(name) < len(listed) else name
    return next((uuid for uuid in listed if uuid.startswith(name)), name)  # a UUID may be shortened


@contextmanager
def _shared_folder(folder: Path) -> Iterator[int]:
    """Make the folder of the locks if need be, for all users; yield a descriptor of it.

    Raises:
        UserError: it is a link or a file, or closed to others.
    """
    way_out = f"remove it, or name another folder for all users of this machine by the variable {OTHER_LOCKS}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        before = os.umask(0)
        try:
            folder.mkdir(mode=0o1777)  # as /tmp: each may add files, and remove its own
        except FileExistsError:
            pass
        finally:
            os.umask(before)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise UserError(
            f"The folder of the locks on GPUs, {folder}, cannot be used ({error.strerror}): {way_out}"
        ) from None
    try:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"The folder of the locks on GPUs, {folder}, is closed to other users: {way_out}")
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Lock an open file or folder; tell whether no other process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(folder: int, name: str) -> int | None:
    """Open a file of the folder for all users, new if need be; None where it was made or removed in between.

    Raises:
        UserError: something else has its name, as a link that would lead elsewhere.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        # Without O_CREAT: systems refuse that for another user's file in a folder that is open to all.
        descriptor = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        try:
            descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
            os.fchmod(descriptor, 0o666)  # whatever the user's umask
        except FileExistsError:
            return None
    except OSError as error:
        raise UserError(f"The lock {_place(folder)}/{name} cannot be opened ({error.strerror}): remove it") from None
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
        os.close(descriptor)
        raise UserError(f"The lock {_place(folder)}/{name} is no file of its own: remove it")
    return descriptor


def _place(folder: int) -> str:
    """Return the path of an open folder, for messages."""
    return os.readlink(f"/proc/self/fd/{folder}")  # noqa: PTH115


def _try_lock(folder: int, name: str) -> IO[str] | None:
    """Return the locked file, or None if another process holds it."""
    if (descriptor := _open(folder, name)) is None:
        return None
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino if _locked(descriptor) else None
    except FileNotFoundError:  # swept away before it was locked
        there = None
    if there != os.fstat(descriptor).st_ino:
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "r+", encoding="ascii", errors="replace")


def _note_holder(lock: IO[str]) -> None:
    """Write into a lock which process holds it."""
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()


def _holder(folder: int, name: str) -> str:
    """Return the number of the process that holds a lock."""
    try:
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb") as file:
            return file.read(20).decode("ascii", "replace") or "?"
    except OSError:
        return "?"
