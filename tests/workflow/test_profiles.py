"""Profiles against the rules: whatever asks for a GPU is sent where GPUs are, and downloads are limited."""

import re

import pytest
import yaml

from tests.helpers.dry_runs import dry_runs


@pytest.fixture(scope="module")
def rules(repository):
    """The text of each rule, by its name."""
    text = "".join(path.read_text() for path in sorted((repository / "rules").glob("*.smk")))
    _, *parts = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def profile(repository, name):
    return yaml.safe_load((repository / f"profiles/{name}/config.yaml").read_text())


def test_every_rule_with_a_gpu_is_sent_to_the_partition_of_gpus(repository, rules):
    with_gpu = {name for name, text in rules.items() if re.search(r"^ +gpu=", text, re.MULTILINE)}
    asked = profile(repository, "slurm")["set-resources"]
    assert with_gpu == {name for name, resources in asked.items() if resources.get("slurm_partition") == "gpu"}
    assert {"train_model", "evaluate_part", "predict_clips"} <= with_gpu


def test_jobs_go_where_their_gpus_are(repository):
    """As Snakemake plans them, of all methods of the demo: with a GPU to `gpu`, without one to `cpu`."""
    # Also where the demo was run before.
    arguments = ["--workflow-profile", "profiles/slurm", "--configfile", "configs/methods.yaml", "--forceall"]
    (output,) = dry_runs(repository, [arguments])
    found = re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: (.*)$", output, re.MULTILINE)
    places = {(name, "gpu=1" in facts, re.search(r"slurm_partition=(\w+)", facts)[1]) for name, facts in found}
    assert {("train_model", True, "gpu"), ("evaluate_part", True, "gpu"), ("decode_frames", False, "cpu")} <= places
    assert all(place == ("gpu" if gpu else "cpu") for _, gpu, place in places)


@pytest.mark.parametrize("name", ["slurm", "local-gpu"])
def test_downloads_are_limited(repository, rules, name):
    """By a resource, which Snakemake keeps to beside a cluster, too."""
    found = profile(repository, name)
    assert "downloads=2" in found["resources"] and "local-cores" not in found
    fetching = {rule for rule in rules if rule.startswith("fetch_")}
    assert fetching == {rule for rule, text in rules.items() if "downloads=1" in text}
    assert all("localrule: True" in rules[rule] for rule in fetching)


def test_no_rule_is_local_by_a_list(repository):
    """`use rule * from … as …` gives rules other names, which a list would not have."""
    files = [repository / "Snakefile", *sorted((repository / "rules").glob("*.smk"))]
    assert not any("localrules:" in path.read_text() for path in files)
