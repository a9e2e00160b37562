"""GPUs of one machine: every job takes its own. Snakemake counts GPUs there, but does not say which is whose.

A job holds a lock on a file per GPU for as long as its process lives: one that crashes frees its GPU.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between looks for a free GPU


def visible_gpus() -> list[str]:
    """Return the GPUs this process may use: those of CUDA_VISIBLE_DEVICES if it is set, else all of the machine."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    import torch  # costs seconds, and is not needed on machines that name their GPUs

    return [str(number) for number in range(torch.cuda.device_count())]


@contextmanager
def own_gpus(count: int, device: str, folder: Path | None = None) -> Iterator[list[str]]:
    """Take `count` GPUs for this process and those it starts, waiting until they are free.

    In a job of a cluster's scheduler the GPUs are the job's already, and all that are visible are used. Where there are
    fewer GPUs than asked for, or none, nothing is taken.

    Args:
        count: how many.
        device: of the config; with `cpu` nothing is taken.
        folder: of the locks, the same for all jobs of a machine.

    Yields:
        The names of the GPUs taken, which CUDA_VISIBLE_DEVICES then holds.
    """
    follower = "LOCAL_RANK" in os.environ  # started by a process that has taken GPUs for it
    visible = [] if device == "cpu" or "SLURM_JOB_ID" in os.environ or follower else visible_gpus()
    if count < 1 or len(visible) < count:
        yield []
        return
    folder = folder or Path(tempfile.gettempdir()) / f"fsar-gpus-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with ExitStack() as locks:
        taken: list[str] = []
        told = False
        while len(taken) < count:
            for name in visible:
                if len(taken) < count and name not in taken and (lock := _try_lock(folder / f"{name}.lock")):
                    locks.enter_context(lock)
                    taken.append(name)
            if len(taken) < count:
                if not told:
                    log.warning(
                        "waiting for a free GPU: %s are in use", ", ".join(n for n in visible if n not in taken)
                    )
                    told = True
                time.sleep(PAUSE)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
        log.info("using GPU %s", ", ".join(taken))
        try:
            yield taken
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def _try_lock(path: Path) -> IO[str] | None:
    """Return the locked file, or None if another process holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def set_cublas_workspace(deterministic: bool) -> None:
    """Let cuBLAS give the same bits each time; to be called before PyTorch is imported."""
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
