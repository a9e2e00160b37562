"""The workflow on a real SLURM: where jobs go, what happens when they are killed, and stopping."""

import os
import re
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.helpers import workflow
from tests.helpers.hold import PATIENCE, STEP, plant, wait_until
from tests.helpers.slurm_cluster import ask, cluster, jobs, why_not
from tests.helpers.workflow import TABLE, copy_project, start_snakemake, write_listing

pytestmark = pytest.mark.slurm
snakemake = partial(workflow.snakemake, anew=True)

MODEL = "results/models/tiny/small-clip/otam/shot1-seed1/model.safetensors"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    if reason := why_not():
        pytest.skip(reason)
    with cluster(tmp_path_factory.mktemp("slurm")):
        yield


def site(project: Path, name: str = "site", **train) -> list[str]:
    """A site's copy of the profile: as it is, but for waits that slow file systems need, and this machine's memory."""
    profile = yaml.safe_load((project / "profiles/slurm/config.yaml").read_text())
    profile |= {"latency-wait": 3, "slurm-init-seconds-before-status-checks": 1}
    profile["slurm-status-command"] = "squeue"  # there is no accounting database here
    for rule in ("train_model", "encode_features", "evaluate_model"):
        profile["set-resources"].setdefault(rule, {})["mem_mb"] = 1500
    profile["set-resources"]["train_model"] |= train
    (project / f"profiles/{name}").mkdir(exist_ok=True)
    (project / f"profiles/{name}/config.yaml").write_text(yaml.safe_dump(profile))
    return ["--workflow-profile", f"profiles/{name}"]


@pytest.fixture(scope="module")
def project(slurm, repository, tmp_path_factory):
    """A copy of the project with a benchmark that works and one whose videos cannot be decoded."""
    folder = copy_project(repository, tmp_path_factory.mktemp("cluster") / "project")
    values = yaml.safe_load((folder / "configs/tiny.yaml").read_text())
    values["run"] |= {"methods": ["otam"], "shots": [1]}
    (folder / "one.yaml").write_text(yaml.safe_dump(values))
    rows = [(f"{s}{c}{i}.mp4", f"{s}{c}", s) for s in ("train", "val", "test") for c in range(4) for i in range(3)]
    write_listing(folder / "broken.csv", rows)
    values["benchmarks"]["broken"] = {**values["benchmarks"]["tiny"], "source": {"kind": "csv", "file": "broken.csv"}}
    values["run"]["benchmarks"] = ["tiny", "broken"]
    (folder / "two.yaml").write_text(yaml.safe_dump(values))
    return folder


def run_of(job: dict[str, str]) -> str:
    """The rule that a job ran, from the comment that Snakemake gives it."""
    return re.sub(r"^(rule|group)_", "", job.get("Comment", "")).split("_wildcards")[0]


def trainings(apart_from: set[str]) -> list[dict[str, str]]:
    """Return the jobs that train, but for earlier ones."""
    return [job for job in jobs() if run_of(job) == "train_model" and job["JobId"] not in apart_from]


def test_a_broken_benchmark_leaves_the_other_whole_and_every_job_is_where_it_belongs(project):
    output = snakemake(project, TABLE, *site(project), "--configfile", "two.yaml", "--retries", "0", ok=False)
    assert "36 of 36 videos cannot be decoded" in output
    predictions = project / "results/predictions/tiny/small-clip/otam/seed1.parquet"
    assert len(pd.read_parquet(predictions)) == 60 * 3  # --keep-going
    by_rule = {}
    for job in jobs():
        by_rule.setdefault(run_of(job), []).append(job)
    trained, decoded = by_rule["train_model"], by_rule["decode_frames"]
    assert [job["Partition"] for job in trained] == ["gpu"] and {job["Partition"] for job in decoded} == {"cpu"}
    # Features and all tests on them are one job.
    tested = by_rule["evaluation-tiny-small-clip-otam-seed1_encode_features_evaluate_model"]
    assert [job["Partition"] for job in tested] == ["gpu"] and "gpu" in tested[0]["TresPerJob"]
    assert "evaluate_model" not in by_rule and "encode_features" not in by_rule
    assert all("gpu" in job.get("TresPerJob", "") for job in trained) and "TresPerJob" not in decoded[0]
    assert {job["MinMemoryNode"] for job in decoded} == {"2000M"} and trained[0]["MinMemoryNode"] == "1500M"
    assert decoded[0]["TimeLimit"] == "08:00:00" and trained[0]["TimeLimit"] == "1-00:00:00"
    assert "write_tables" not in by_rule and "gather_index" not in by_rule  # seconds: beside Snakemake

    before = {job["JobId"] for job in jobs()}
    output = snakemake(project, TABLE, *site(project), "--configfile", "one.yaml")
    assert list(pd.read_csv(project / TABLE)["benchmark"]) == ["tiny"]
    assert [run_of(job) for job in jobs() if job["JobId"] not in before] == [], output  # only the table was left
    assert "Nothing to be done" in snakemake(project, TABLE, "--configfile", "one.yaml")  # here, without a cluster


@pytest.fixture
def script(project):
    """The script that trains, which a test may change."""
    path = project / "workflow_scripts/train_model.py"
    whole = path.read_text()
    yield path
    path.write_text(whole)


@pytest.fixture
def held(project, script):
    """The first job that trains is held after a few steps."""
    plant(project)
    yield project / "held"
    for name in ("held", "first-training"):
        (project / name).unlink(missing_ok=True)


def longer(project: Path, iterations: int, name: str) -> list[str]:
    values = yaml.safe_load((project / "one.yaml").read_text())
    values["benchmarks"]["tiny"]["training"] |= {"iterations": iterations, "validate_every": 100000}
    (project / name).write_text(yaml.safe_dump(values))
    return ["--configfile", name]


def test_a_job_killed_by_time_goes_on_with_more_time(project, held):
    """The limit strikes when the test says so; the second attempt has more time, and trains what is left."""
    before = {job["JobId"] for job in jobs()}
    minutes = site(project, "minutes", runtime="20 * attempt")
    process = start_snakemake(project, MODEL, *minutes, *longer(project, 40, "longer.yaml"))
    wait_until(held.exists, process)
    [job] = trainings(before)
    ask("scontrol", "update", f"JobId={job['JobId']}", "TimeLimit=1")  # minutes, of which it has used some seconds
    assert process.wait(PATIENCE) == 0
    attempts = [(job["JobState"], job["TimeLimit"]) for job in trainings(before)]
    assert attempts == [("TIMEOUT", "00:01:00"), ("COMPLETED", "00:40:00")]
    log = next(project.glob("logs/train_model/tiny-*.log")).read_text()
    assert f"going on from step {STEP} " in log
    metrics = pd.read_parquet(project / Path(MODEL).with_name("metrics.parquet"))
    assert list(metrics["iteration"]) == list(range(2, 41, 2))


def test_a_job_killed_by_memory_is_given_more(project, script):
    """The first attempt takes more than it was given, and waits until that is noticed."""
    greedy = (
        "import time\nif snakemake.resources.mem_mb == 150:\n    taken = b'x' * 500_000_000\n    time.sleep(36000)\n"
    )
    script.write_text(greedy + script.read_text())
    before = {job["JobId"] for job in jobs()}
    memory = site(project, "memory", mem_mb="150 if attempt == 1 else 3000")
    snakemake(project, MODEL, *memory, *longer(project, 14, "memory.yaml"))
    attempts = trainings(before)
    assert [job["MinMemoryNode"] for job in attempts] == ["150M", "3000M"]
    assert attempts[0]["JobState"] in ("OUT_OF_MEMORY", "FAILED", "CANCELLED")
    assert attempts[1]["JobState"] == "COMPLETED"


def test_a_training_on_two_nodes_is_that_of_one(project):
    """Its processes are started by srun, one on each node; the nodes here are one machine under two names."""
    before = {job["JobId"] for job in jobs()}
    arguments = longer(project, 12, "one-node.yaml")
    snakemake(project, MODEL, *site(project), *arguments)
    metrics = project / Path(MODEL).with_name("metrics.parquet")
    one = pd.read_parquet(metrics)
    values = yaml.safe_load((project / "one-node.yaml").read_text())
    values["device"] = "cpu"
    values["benchmarks"]["tiny"]["training"]["nodes"] = 2
    (project / "two-nodes.yaml").write_text(yaml.safe_dump(values))
    (project / MODEL).unlink()
    # They find one another by the first node's name, which stands for no machine here.
    several = site(project, "several", slurm_partition="several", mem_mb=3000)
    snakemake(project, MODEL, *several, "--configfile", "two-nodes.yaml", MASTER_ADDR="127.0.0.1")
    [_, trained] = trainings(before)
    assert (trained["NumNodes"], trained["NumTasks"], trained["Partition"]) == ("2", "2", "several")
    two = pd.read_parquet(metrics)
    assert list(two["iteration"]) == list(one["iteration"]) == list(range(2, 13, 2))
    np.testing.assert_allclose(two["loss"][:2], one["loss"][:2], rtol=1e-4)
    log = next(project.glob("logs/train_model/tiny-*.log")).read_text()
    assert log.count("best on validation") == 1 and "MEMBER: 2/2" not in log  # one process speaks


def test_ctrl_c_cancels_the_jobs(project, held):
    before = {job["JobId"] for job in jobs()}
    process = start_snakemake(project, MODEL, *site(project), *longer(project, 50, "held.yaml"))
    wait_until(held.exists, process)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while any(job["JobState"] not in ("CANCELLED", "FAILED") for job in trainings(before)):
        assert time.monotonic() < deadline, "the job runs on"
        time.sleep(0.5)
    assert [job["JobState"] for job in trainings(before)] == ["CANCELLED"]
