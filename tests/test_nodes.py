"""A training on several nodes: what SLURM is asked for, and how its processes start (see test_slurm.py too)."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.validation import validate_slurm_extra

from fsar.config import TrainingConfig, load
from fsar.errors import UserError
from fsar.fabric import make_fabric
from fsar.gpus import own_gpus
from fsar.job import is_first_process
from fsar.nodes import STARTED, is_task, start_tasks
from fsar.plan.resources import across_nodes, slurm_resources


class Asked(dict):
    """Resources as the executor reads them: by name, or as attributes."""

    __getattr__ = dict.get


def test_one_node_asks_for_nothing_of_that():
    assert slurm_resources(1, 4, 32, gpus=True) == {}


def test_slurm_is_asked_for_a_process_per_device_on_every_node():
    asked = Asked(slurm_resources(2, 4, 32, gpus=True), gpu=8, mem_mb=16000, runtime=60)
    job = SimpleNamespace(resources=asked, threads=32)
    validate_slurm_extra(job)
    params = {"run_uuid": "x", "slurm_logfile": "log", "comment_str": "c", "account": "", "partition": "-p gpu"}
    command = get_submit_command(job, params | {"workdir": "."}).split()
    assert {"--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--gpus-per-node=4", "--cpus-per-task=8"} <= set(command)
    assert not [part for part in command if part.startswith("--ntasks-per-gpu")]


def test_the_script_is_run_again_for_every_device(monkeypatch):
    runs = []

    def run(command, env, check):
        runs.append((command, env[STARTED]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["script.py"])
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(UserError, match=r"training\.nodes is 2, but this is no job of SLURM"):
        start_tasks(2, 4, 32)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    start_tasks(2, 4, 32)
    expected = ["--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--cpus-per-task=8", "--kill-on-bad-exit=1"]
    assert runs == [(["srun", *expected, sys.executable, "script.py"], "1")]
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 9))
    with pytest.raises(UserError, match=r"on 2 nodes ended with status 9.*srun --nodes=2"):
        start_tasks(2, 4, 32)


def test_its_processes_are_told_apart_and_take_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert not is_task() and is_first_process()
    with pytest.raises(UserError, match=r"training\.nodes is 2, but this process is not one"):
        make_fabric("cpu", "tf32", nodes=2)
    monkeypatch.setenv(STARTED, "1")
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert is_task() and is_first_process()
    with own_gpus(1, "auto", tmp_path) as taken:
        assert taken == [] and os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2"
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert not is_first_process()


SPEAK = """
import logging, os, subprocess, sys
from fsar.job import logged
from fsar.nodes import STARTED

with logged(sys.argv[1]):
    logging.info("task %s", os.getenv("SLURM_PROCID"))
    if STARTED not in os.environ:
        for number in "01":
            subprocess.run([sys.executable, *sys.argv], env={**os.environ, STARTED: "1", "SLURM_PROCID": number})
        logging.info("ended")
"""


def test_they_write_one_log(tmp_path, repository):
    (tmp_path / "speak.py").write_text(SPEAK)
    (log := tmp_path / "job.log").write_text("of an earlier job\n")
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    subprocess.run([sys.executable, str(tmp_path / "speak.py"), str(log)], check=True, env=environment)
    assert [line.split("INFO ")[1] for line in log.read_text().splitlines()] == ["task None", "task 0", "ended"]


@pytest.mark.parametrize(
    ("tasks", "nodes", "devices", "used"),
    [(1, 1, 4, (1, 1)), (2, 1, 4, (1, 2)), (2, 1, 3, (1, 1)), (4, 1, 2, (1, 2)), (16, 2, 8, (2, 8)), (2, 2, 2, (2, 1))],
)
def test_of_few_tasks_no_more_devices_are_used_than_divide_them(tasks, nodes, devices, used):
    asked = TrainingConfig(tasks_per_step=tasks, nodes=nodes, devices=devices, threads=devices, workers=0)
    assert list(asked.problems()) == []
    spread = asked.spread()
    assert (spread.nodes, spread.devices) == used
    assert spread == asked.model_copy(update={"nodes": used[0], "devices": used[1]})  # and nothing else changes


def test_jobs_ask_for_the_devices_that_their_model_can_use(repository):
    values = yaml.safe_load((repository / "config.yaml").read_text())
    values["benchmarks"]["hmdb51"]["training"] |= {"devices": 4, "nodes": 2, "threads": 8, "workers": 0}
    config = load(values)
    for model, backbone, tasks in (("ts-fsar", "ViT-B-16", None), ("hyrsm", "INet-RN50", 2), ("team", "INet-RN50", 8)):
        asked = across_nodes(config, "tasks")(SimpleNamespace(benchmark="hmdb51", backbone=backbone, model=model))
        assert asked == tasks, model


def test_the_tasks_of_a_step_are_divided_among_all_devices():
    several = TrainingConfig(nodes=2, devices=2, tasks_per_step=6, threads=4, workers=2)
    [problem] = several.problems()
    assert problem == (
        "tasks_per_step is 6, which cannot be divided among 2 devices on each of 2 nodes; the nearest valid value is 8"
    )
    assert list(several.model_copy(update={"tasks_per_step": 8}).problems()) == []
