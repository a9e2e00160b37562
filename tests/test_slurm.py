"""The workflow on a real SLURM: where jobs go, what happens when they are killed, and stopping."""

import os
import re
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.slurm_cluster import cluster, jobs, why_not
from tests.workflow import TABLE, copy_project, snakemake, start_snakemake, write_listing

pytestmark = pytest.mark.slurm


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
    for rule in ("train_model", "encode_features", "evaluate"):
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


def test_a_broken_benchmark_leaves_the_other_whole_and_every_job_is_where_it_belongs(project):
    output = snakemake(project, TABLE, *site(project), "--configfile", "two.yaml", "--retries", "0", ok=False)
    assert "36 of 36 videos cannot be decoded" in output
    predictions = project / "results/predictions/tiny/small-clip/otam/seed1/3way-1shot.parquet"
    assert len(pd.read_parquet(predictions)) == 60 * 3  # --keep-going
    by_rule = {}
    for job in jobs():
        by_rule.setdefault(run_of(job), []).append(job)
    trained, decoded = by_rule["train_model"], by_rule["decode_frames"]
    assert [job["Partition"] for job in trained] == ["gpu"] and {job["Partition"] for job in decoded} == {"cpu"}
    # Features and the tests on them are one job.
    tested = by_rule["evaluation-tiny-small-clip-otam-1_encode_features_evaluate"]
    assert [job["Partition"] for job in tested] == ["gpu"] and "gpu" in tested[0]["TresPerJob"]
    assert "evaluate" not in by_rule and "encode_features" not in by_rule
    assert all("gpu" in job.get("TresPerJob", "") for job in trained) and "TresPerJob" not in decoded[0]
    assert {job["MinMemoryNode"] for job in decoded} == {"1000M"} and trained[0]["MinMemoryNode"] == "1500M"
    assert decoded[0]["TimeLimit"] == "08:00:00" and trained[0]["TimeLimit"] == "1-00:00:00"
    assert "write_tables" not in by_rule and "gather_index" not in by_rule  # seconds: beside Snakemake

    started = time.monotonic()
    snakemake(project, TABLE, *site(project), "--configfile", "one.yaml")
    assert list(pd.read_csv(project / TABLE)["benchmark"]) == ["tiny"]
    assert time.monotonic() - started < 60  # only what was left
    assert "Nothing to be done" in snakemake(project, TABLE, "--configfile", "one.yaml")  # here, without a cluster


def longer(project: Path, iterations: int, name: str) -> list[str]:
    values = yaml.safe_load((project / "one.yaml").read_text())
    values["benchmarks"]["tiny"]["training"] |= {"iterations": iterations, "validate_every": 100000}
    (project / name).write_text(yaml.safe_dump(values))
    return ["--configfile", name]


def test_a_job_killed_by_time_goes_on_with_more_time(project):
    """One minute is not enough; the second attempt has two, and trains what is left."""
    config = longer(project, 1200, "longer.yaml")
    before = {job["JobId"] for job in jobs()}
    minutes = site(project, "minutes", runtime="attempt")
    target = "results/models/tiny/small-clip/otam/shot1-seed1/model.safetensors"
    snakemake(project, target, *minutes, *config)
    attempts = [job for job in jobs() if run_of(job) == "train_model" and job["JobId"] not in before]
    assert [(job["JobState"], job["TimeLimit"]) for job in attempts] == [
        ("TIMEOUT", "00:01:00"),
        ("COMPLETED", "00:02:00"),
    ]
    log = next(project.glob("logs/train_model/tiny-*.log")).read_text()
    step = re.search(r"going on from step (\d+)", log)
    assert step and int(step[1]) > 20, log
    metrics = pd.read_parquet(project / Path(target).with_name("metrics.parquet"))
    assert list(metrics["iteration"]) == list(range(2, 1201, 2))


def test_a_job_killed_by_memory_is_given_more(project):
    config = longer(project, 14, "memory.yaml")
    before = {job["JobId"] for job in jobs()}
    memory = site(project, "memory", mem_mb="150 if attempt == 1 else 3000")
    target = "results/models/tiny/small-clip/otam/shot1-seed1/model.safetensors"
    snakemake(project, target, *memory, *config)
    attempts = [job for job in jobs() if run_of(job) == "train_model" and job["JobId"] not in before]
    assert [job["MinMemoryNode"] for job in attempts] == ["150M", "3000M"]
    assert (
        attempts[0]["JobState"] in ("OUT_OF_MEMORY", "FAILED", "CANCELLED") and attempts[1]["JobState"] == "COMPLETED"
    )


def test_ctrl_c_cancels_the_jobs(project):
    config = longer(project, 5000, "endless.yaml")
    target = "results/models/tiny/small-clip/otam/shot1-seed1/model.safetensors"
    process = start_snakemake(project, target, *site(project), *config)

    def active():
        return [job for job in jobs() if job["JobState"] in ("RUNNING", "PENDING") and run_of(job) == "train_model"]

    deadline = time.monotonic() + 90
    while not any(job["JobState"] == "RUNNING" for job in active()):
        assert time.monotonic() < deadline and process.poll() is None, "the training never ran"
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    deadline = time.monotonic() + 30
    while active() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert active() == []
