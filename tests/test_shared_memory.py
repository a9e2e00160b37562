"""Loader processes that find too little shared memory: what it comes to, told with the key and the way out."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from fsar.errors import UserError
from fsar.shared_memory import shared_memory_told

# PyTorch's, of a loader whose processes could not be started.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

REMEDY = "set training.workers to 0"
TOLD = r"(?s)/dev/shm.*--shm-size.*Or set training\.workers to 0"


class Clips(Dataset):
    """Each 4 MB, in memory that is shared."""

    def __len__(self):
        return 8

    def __getitem__(self, number):
        storage = torch.UntypedStorage._new_shared(4_000_000)
        return torch.empty(0, dtype=torch.uint8).set_(storage).fill_(number)


def load(clips, workers=1):
    with shared_memory_told(REMEDY):
        return sum(1 for _ in DataLoader(clips, batch_size=None, num_workers=workers))


SMALL = "mount -t tmpfs -o size=1m tmpfs /dev/shm && exec {python} -c {code}"
CODE = "import tests.test_shared_memory as t; t.load(t.Clips(), {workers})"


def in_small_memory(workers, repository):
    """Run the loader in a namespace of its own, with 1 MB of shared memory, without any change to this one."""
    command = SMALL.format(python='"$1"', code='"$2"')
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command, "sh", sys.executable,
         CODE.format(workers=workers)],
        cwd=repository, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_a_small_dev_shm(repository):
    run = in_small_memory(1, repository)
    if run.stderr.startswith(("unshare:", "mount:")):
        pytest.skip(f"no namespaces of mounts here: {run.stderr.strip()}")
    assert run.returncode == 1
    last = run.stderr[run.stderr.index("fsar.errors.UserError") :]
    assert "/dev/shm" in last and "of its 1 MB are free" in last and "--shm-size" in last and REMEDY in last


def test_what_pytorch_says_in_a_loader_process(monkeypatch):
    def full(_):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.UntypedStorage, "_new_shared", full)  # loader processes are forks of this one
    with pytest.raises(UserError, match=TOLD):
        load(Clips())


class Killed(Clips):
    def __getitem__(self, number):
        os.kill(os.getpid(), signal.SIGBUS)


class Full(Clips):
    def __getitem__(self, number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("kind", [Killed, Full])
def test_a_process_that_is_killed_or_finds_no_space(kind):
    with pytest.raises(UserError, match=TOLD):
        load(kind())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENOSYS])
def test_processes_that_cannot_be_started(monkeypatch, number):
    def none(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("multiprocessing.synchronize._multiprocessing.SemLock", none)
    with pytest.raises(UserError, match=TOLD):
        load(Clips())


class Broken(Clips):
    def __getitem__(self, number):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "shard-000.arrow")


def test_other_errors_stay_what_they_are():
    with pytest.raises(FileNotFoundError, match=r"shard-000\.arrow"):
        load(Broken())
    with pytest.raises(OSError, match="No space left"), shared_memory_told(REMEDY):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # of a disk that something is written to
    with pytest.raises(RuntimeError, match="CUDA out of memory"), shared_memory_told(REMEDY):
        raise RuntimeError("CUDA out of memory")
    assert load([torch.ones(2)] * 3, workers=0) == 3 and Path("/dev/shm").exists()
