"""Every job of a machine has its own GPU, and every job within a job; the GPUs here are pretended."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fsar import gpus
from fsar.errors import UserError
from fsar.gpus import JOB_VARIABLES, PLACES, own_gpus, visible_gpus

HOLD = """
import sys, time
from pathlib import Path
from fsar.gpus import own_gpus
with own_gpus(int(sys.argv[2]), "auto", Path(sys.argv[1])) as taken:
    print(",".join(taken), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    for name in (*JOB_VARIABLES, "LOCAL_RANK", PLACES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Pretend a driver that lists GPUs by UUID."""

    def lists(*uuids):
        program = tmp_path / "bin/nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        lines = "".join(f"GPU {n}: NVIDIA Pretended (UUID: {uuid})\n" for n, uuid in enumerate(uuids))
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}  MIG 1g.10gb Device 0: (UUID: MIG-7)\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return lists


def holder(folder, repository, count=1):
    command = [sys.executable, "-c", HOLD, str(folder), str(count)]
    process = subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return process


def test_concurrent_jobs_get_different_gpus_and_a_crashed_one_frees_its_own(two_gpus, tmp_path, repository):
    first, second = holder(tmp_path, repository), holder(tmp_path, repository)
    names = [process.stdout.readline().strip() for process in (first, second)]
    assert sorted(names) == ["2", "5"]  # those that were visible
    third = holder(tmp_path, repository)
    told = third.stderr.readline()
    assert "waiting for a free GPU" in told and f"{names[1]} by process {second.pid}" in told
    os.kill(second.pid, signal.SIGKILL)
    assert third.stdout.readline().strip() == names[1]
    for process in (first, third):
        process.kill()
    for process in (first, second, third):
        process.communicate()


def test_several_jobs_share_a_gpu_where_that_is_asked_for(two_gpus, tmp_path, repository, monkeypatch):
    """Each takes a place where the fewest are taken; one more waits for a place, and one of two GPUs for two."""
    monkeypatch.setenv(PLACES, "2")
    running, names = [], []
    for _ in range(4):
        running.append(holder(tmp_path, repository))
        names.append(running[-1].stdout.readline().strip())
    assert sorted(names[:2]) == sorted(names[2:]) == ["2", "5"]
    both = holder(tmp_path, repository, count=2)
    told = both.stderr.readline()
    assert all(f"{name} by process {process.pid}" in told for name, process in zip(names, running, strict=True))
    for number in (0, names.index("5" if names[0] == "2" else "2")):
        running[number].kill()
    assert both.stdout.readline().strip() == "2,5"
    for process in (*running, both):
        process.kill()
        process.communicate()


@pytest.mark.parametrize("told", ["0", "-1", "two", "", "1.5"])
def test_a_number_of_places_that_is_none_is_told(two_gpus, tmp_path, monkeypatch, told):
    monkeypatch.setenv(PLACES, told)
    with pytest.raises(UserError, match=PLACES), own_gpus(1, "auto", tmp_path):
        pass


def test_two_jobs_of_several_gpus_never_hold_one_each(two_gpus, tmp_path, repository):
    """Three take two of two GPUs, again and again, and each sees that it has both for itself."""
    lines = HOLD.replace("import sys, time", "import os, sys").split("with own_gpus")[0]
    lines += f"""
for _ in range(10):
    with own_gpus(2, "auto", Path(sys.argv[1])) as taken:
        assert taken == ["2", "5"]
        os.close(os.open({str(tmp_path / "alone")!r}, os.O_CREAT | os.O_EXCL))
        os.unlink({str(tmp_path / "alone")!r})
"""
    lines = "from fsar import gpus\ngpus.PAUSE = 0.001\n" + lines
    command = [sys.executable, "-c", lines, str(tmp_path / "locks")]
    for process in [subprocess.Popen(command, cwd=repository) for _ in range(3)]:
        assert process.wait() == 0


def test_what_is_not_all_free_is_not_held(two_gpus, tmp_path, repository):
    one = holder(tmp_path, repository)
    assert one.stdout.readline().strip() == "2"
    both = holder(tmp_path, repository, 2)
    assert "in use are 2 by process" in both.stderr.readline()
    other = holder(tmp_path, repository)
    assert other.stdout.readline().strip() == "5"  # which the one that waits for two does not keep to itself
    for process in (one, other):
        process.kill()
    assert both.stdout.readline().strip() == "2,5"
    both.kill()
    for process in (one, both, other):
        process.communicate()


def test_the_folder_of_the_locks_is_for_all_users(two_gpus, tmp_path, monkeypatch):
    monkeypatch.setenv(gpus.OTHER_LOCKS, str(tmp_path / "locks"))
    before = os.umask(0o077)
    try:
        with own_gpus(1, "auto"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "locks").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "locks/2.lock").stat().st_mode & 0o7777 == 0o666


def test_nothing_is_written_through_links(two_gpus, tmp_path):
    precious, locks = tmp_path / "precious", tmp_path / "locks"
    precious.write_text("mine")
    locks.mkdir()
    for make in (os.symlink, os.link):
        make(precious, locks / "2.lock")
        with pytest.raises(UserError, match=r"locks/2\.lock"), own_gpus(1, "auto", locks):
            pass
        (locks / "2.lock").unlink()
    os.mkfifo(locks / "2.lock")
    with pytest.raises(UserError, match=r"2\.lock is no file of its own"), own_gpus(1, "auto", locks):
        pass
    (tmp_path / "link").symlink_to(locks)
    for folder in (tmp_path / "link", precious, precious / "below"):
        with pytest.raises(UserError, match=r"folder of the locks .*FSAR_GPU_LOCKS"), own_gpus(1, "auto", folder):
            pass
    assert precious.read_text() == "mine"


def test_a_lock_that_is_swept_away_is_made_again(two_gpus, tmp_path, monkeypatch):
    """As of programs that clear /tmp: between its opening and its locking, the file goes."""
    opened, swept = gpus._open, []

    def open_and_sweep(folder, name):
        descriptor = opened(folder, name)
        if not swept:
            swept.append(name)
            (tmp_path / name).unlink()
        return descriptor

    monkeypatch.setattr(gpus, "_open", open_and_sweep)
    with own_gpus(1, "auto", tmp_path) as taken:
        assert taken == ["5"] and swept == ["2.lock"]
    with own_gpus(2, "auto", tmp_path) as both:
        assert both == ["2", "5"]


@pytest.mark.parametrize(("named", "seen"), [("1,-1,2", ["1"]), ("NoDevFiles", []), (" 3 ,4", ["3", "4"]), (",", [])])
def test_gpus_are_named_as_cuda_reads_it(monkeypatch, named, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == seen


def test_a_gpu_that_is_named_twice_is_one(two_gpus, tmp_path, driver, monkeypatch):
    driver("GPU-aaaa-1", "GPU-bbbb-2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,GPU-aaaa,0")
    with own_gpus(1, "auto", tmp_path / "locks") as taken:
        assert taken == ["0"]
    with own_gpus(2, "auto", tmp_path / "locks") as taken:
        assert taken == []  # there is one


def test_the_environment_tells_cuda_and_is_put_back(two_gpus, tmp_path):
    with own_gpus(1, "auto", tmp_path) as taken:
        assert taken == ["2"] and os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"
    with own_gpus(2, "auto", tmp_path) as both:
        assert both == ["2", "5"] and os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"


@pytest.mark.parametrize(
    ("variable", "device", "count"),
    [("SLURM_JOB_ID", "auto", 2), ("PBS_JOBID", "cuda", 2), ("LOCAL_RANK", "auto", 1), ("UNSET", "cpu", 1)],
)
def test_where_nothing_is_taken(two_gpus, tmp_path, monkeypatch, variable, device, count):
    monkeypatch.setenv(variable, "1")
    with own_gpus(count, device, tmp_path) as taken:
        assert taken == [] and os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"
    assert list(tmp_path.iterdir()) == []


def test_more_than_there_are(two_gpus, tmp_path, monkeypatch):
    with own_gpus(3, "auto", tmp_path) as taken:
        assert taken == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


@pytest.mark.parametrize("variable", JOB_VARIABLES)
def test_jobs_within_a_job_with_several_gpus_get_different_ones(two_gpus, tmp_path, monkeypatch, variable):
    """As in salloc or sbatch with Snakemake inside; locks of one job are not those of another."""
    locks = tmp_path / "locks"
    monkeypatch.setattr(gpus, "LOCKS", locks)
    monkeypatch.setenv(variable, "17[3].host")
    with own_gpus(1, "auto") as first, own_gpus(1, "auto") as nested:
        assert (first, nested) == (["2"], [])  # of those that are visible to what it starts, none is left to choose
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")  # as a process beside it sees them
        with own_gpus(1, "auto") as second:
            assert second == ["5"] and os.environ["CUDA_VISIBLE_DEVICES"] == "5"
        monkeypatch.setenv(variable, "18")
        with own_gpus(1, "auto") as other:
            assert other == ["2"]  # which SLURM would not give to two jobs; who does, means to share them
    assert sorted(p.name for p in locks.iterdir()) == ["17-3-.host-2.lock", "17-3-.host-5.lock", "18-2.lock"]


def test_gpus_are_known_by_what_they_are_called_everywhere(two_gpus, driver, tmp_path, monkeypatch):
    """PBS and LSF may number the GPUs of every job from 0."""
    locks = tmp_path / "locks"
    driver("GPU-aaaa-1", "GPU-bbbb-2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["GPU-aaaa-1", "GPU-bbbb-2"]
    with own_gpus(1, "auto", locks) as taken:
        assert taken == ["GPU-aaaa-1"] == [os.environ["CUDA_VISIBLE_DEVICES"]]
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")  # another process, which calls the same GPU 0
        with own_gpus(1, "auto", locks) as other:
            assert other == ["1"]
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
        with own_gpus(1, "auto", locks) as other:
            assert other == ["GPU-b"]
        driver("GPU-cccc-3")  # where a job sees its own alone
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        with own_gpus(1, "auto", locks) as other:
            assert other == ["0"]
    assert {path.stem for path in locks.iterdir()} == {"GPU-aaaa-1", "GPU-bbbb-2", "GPU-cccc-3"}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_long_wait_is_told_again_and_again(two_gpus, tmp_path, monkeypatch, caplog):
    """With a clock on which every pause takes five minutes, until the holder ends after twenty."""
    now, held = [0.0], (tmp_path / "2.lock").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")

    def pause(_):
        now[0] += 300
        if now[0] == 1200:
            held.close()

    monkeypatch.setattr(gpus.time, "sleep", pause)
    monkeypatch.setattr(gpus.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.WARNING), own_gpus(1, "auto", tmp_path) as taken:
        assert taken == ["2"] and Path(tmp_path / "2.lock").read_text() == str(os.getpid())
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "waiting for a free GPU (0 minutes so far)", "waiting for a free GPU (10 minutes so far)",
    ]  # fmt: skip


def test_without_a_driver_that_lists_them_gpus_are_counted_elsewhere(two_gpus, monkeypatch):
    """CUDA, once begun in this process, would not see the variable that is set later."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(gpus.shutil, "which", lambda _: None)
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="3\n")

    monkeypatch.setattr(gpus.subprocess, "run", run)
    monkeypatch.setattr(gpus.Path, "glob", lambda *_: iter([]))
    assert visible_gpus() == [] and commands == []
    monkeypatch.setattr(gpus.Path, "glob", lambda *_: iter(["/dev/nvidia0"]))
    assert visible_gpus() == ["0", "1", "2"] and commands[0][0] == sys.executable
