"""GPUs of one machine: every job takes its own. Snakemake counts GPUs there, but does not say which is whose.

A job holds a lock on a file per GPU for as long as its process lives: one that crashes frees its GPU. In a job of a
cluster's scheduler, those that run side by side within it share its GPUs out in the same way.
"""

import fcntl
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from fsar.nodes import is_task

log = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between looks for a free GPU
REMINDER = 600.0  # seconds between words about the wait
# What schedulers name a job by: SLURM, PBS, LSF, Grid Engine, Flux.
JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "FLUX_JOB_ID")


def visible_gpus() -> list[str]:
    """Return the GPUs this process may use: those of CUDA_VISIBLE_DEVICES if it is set, else all of the machine.

    CUDA is not begun: what a process sees of it then, it would see for good.
    """
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    if listed := _listed_gpus():
        return listed
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return []
    asked = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    counted = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return [str(number) for number in range(int(counted))] if counted.isdigit() else []


@contextmanager
def own_gpus(count: int, device: str, folder: Path | None = None) -> Iterator[list[str]]:
    """Take `count` GPUs for this process and those it starts, waiting until they are free.

    In a job of a cluster's scheduler that has as many as asked for, they are this process's already. Where there are
    fewer GPUs than asked for, or none, nothing is taken.

    Args:
        count: how many.
        device: of the config; with `cpu` nothing is taken.
        folder: of the locks, the same for all jobs of a machine.

    Yields:
        The names of the GPUs taken, which CUDA_VISIBLE_DEVICES then holds.
    """
    job = next((os.environ[name] for name in JOB_VARIABLES if os.environ.get(name)), "")
    follower = "LOCAL_RANK" in os.environ or is_task()  # started by what has taken GPUs for it
    visible = [] if device == "cpu" or follower else visible_gpus()
    if count < 1 or len(visible) < count or (job and len(visible) == count):
        yield []
        return
    folder = folder or Path(tempfile.gettempdir()) / f"fsar-gpus-{os.getuid()}" / re.sub(r"[^\w.-]", "-", job)
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with ExitStack() as locks:
        taken = _take(count, {name: folder / f"{_identifier(name)}.lock" for name in visible}, locks)
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


def _take(count: int, files: dict[str, Path], locks: ExitStack) -> list[str]:
    """Lock `count` of the files, by the names of their GPUs, waiting for those that are in use."""
    taken: list[str] = []
    reminded = -REMINDER
    started = time.monotonic()
    while True:
        for name, file in files.items():
            if len(taken) < count and name not in taken and (lock := _try_lock(file)):
                locks.enter_context(lock)
                taken.append(name)
        if len(taken) == count:
            return taken
        waited = time.monotonic() - started
        if waited - reminded >= REMINDER:
            used = ", ".join(f"{name} by process {_holder(file)}" for name, file in files.items() if name not in taken)
            log.warning("waiting for a free GPU (%.0f minutes so far): in use are %s", waited / 60, used)
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


def _try_lock(path: Path) -> IO[str] | None:
    """Return the locked file, or None if another process holds it."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _holder(path: Path) -> str:
    """Return the number of the process that holds a lock."""
    try:
        return path.read_text() or "?"
    except OSError:
        return "?"
