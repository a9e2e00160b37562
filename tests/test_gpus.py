"""Every job of a machine has its own GPU; the GPUs here are pretended."""

import os
import signal
import subprocess
import sys

import pytest

from fsar.gpus import own_gpus, visible_gpus

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
    for name in ("SLURM_JOB_ID", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


def holder(folder, repository, count=1):
    command = [sys.executable, "-c", HOLD, str(folder), str(count)]
    process = subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return process


def test_concurrent_jobs_get_different_gpus_and_a_crashed_one_frees_its_own(two_gpus, tmp_path, repository):
    first, second = holder(tmp_path, repository), holder(tmp_path, repository)
    names = [process.stdout.readline().strip() for process in (first, second)]
    assert sorted(names) == ["2", "5"]  # those that were visible
    third = holder(tmp_path, repository)
    assert "waiting for a free GPU" in third.stderr.readline()
    os.kill(second.pid, signal.SIGKILL)
    assert third.stdout.readline().strip() == names[1]
    for process in (first, third):
        process.kill()
    for process in (first, second, third):
        process.communicate()


def test_the_environment_tells_cuda_and_is_put_back(two_gpus, tmp_path):
    with own_gpus(1, "auto", tmp_path) as taken:
        assert taken == ["2"] and os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"
    with own_gpus(2, "auto", tmp_path) as both:
        assert both == ["2", "5"] and os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"


@pytest.mark.parametrize(("variable", "device"), [("SLURM_JOB_ID", "auto"), ("LOCAL_RANK", "auto"), ("UNSET", "cpu")])
def test_where_nothing_is_taken(two_gpus, tmp_path, monkeypatch, variable, device):
    monkeypatch.setenv(variable, "1")
    with own_gpus(1, device, tmp_path) as taken:
        assert taken == [] and os.environ["CUDA_VISIBLE_DEVICES"] == "2,5"
    assert list(tmp_path.iterdir()) == []


def test_more_than_there_are(two_gpus, tmp_path, monkeypatch):
    with own_gpus(3, "auto", tmp_path) as taken:
        assert taken == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
