"""Between workflows: a shared cache, the workflow as a module of another one, and runs in directories of their own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.helpers.workflow import TABLE, TINY, VARIABLES, command, copy_project, nothing_to_do, rules_to_run, snakemake

NOBODY = 65534  # a user that every Linux has
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@pytest.mark.slow
def test_two_checkouts_share_frames_and_features(repository, tmp_path):
    """The second run takes them from the cache: same bytes, nothing decoded or encoded."""
    features = "results/features/tiny/small-clip/frozen/untrained/test.safetensors"
    cache = tmp_path / "cache"
    cache.mkdir()
    found = {}
    for name in ("one", "two"):
        folder = copy_project(repository, tmp_path / name)
        output = snakemake(folder, features, "--cache", *TINY, SNAKEMAKE_OUTPUT_CACHE=str(cache))
        paths = [features, *(f"data/tiny/frames/shard-00{i}.arrow" for i in range(2))]
        logs = [path.read_text() for path in folder.glob("logs/decode_frames/*.log")]
        found[name] = [(folder / path).read_bytes() for path in paths], sum("videos stored" in log for log in logs)
        assert ("Moving output file data/tiny/frames/shard-000.arrow to cache" in output) is (name == "one")
    assert found["one"][0] == found["two"][0] and (found["one"][1], found["two"][1]) == (2, 0)


MODULE = """
configfile: "mine.yaml"

module fewshot:
    snakefile: {snakefile}
    config: config
    {prefix}

use rule * from fewshot as fewshot_*

rule mine:
    default_target: True
    input: {target!r}
    output: "best.txt"
    script: "mine.py"

print("beside a cluster:", *sorted(workflow._localrules))
"""
MINE = "open(snakemake.output[0], 'w').write(open(snakemake.input[0]).read())\n"


def importing(folder, project, snakefile, target, prefix=""):
    """Write a workflow that imports this one, and has a rule of its own."""
    folder.mkdir()
    (folder / "Snakefile").write_text(MODULE.format(snakefile=snakefile, target=target, prefix=prefix))
    (folder / "mine.py").write_text(MINE)
    base, tiny = (yaml.safe_load((project / name).read_text()) for name in ("config.yaml", "configs/tiny.yaml"))
    values = base | {"run": base["run"] | tiny["run"] | {"methods": ["clip-freeze"], "shots": [1]}}
    values |= {"small_clips": tiny["small_clips"], "benchmarks": base["benchmarks"] | tiny["benchmarks"]}
    (folder / "mine.yaml").write_text(yaml.safe_dump(values))
    return folder


def test_the_workflow_is_a_module_of_another(repository, tmp_path):
    """Each keeps its own ways: what is newer counts for a script of theirs, what is stated for one of ours."""
    project = copy_project(repository, tmp_path / "the project (1)")
    other = importing(tmp_path / "other", project, f'"{project}/Snakefile"', TABLE)
    assert "fewshot_write_tables" in rules_to_run(other)  # as a user starts it; then with the code imported already
    output = snakemake(other, project=project)
    assert (other / "best.txt").read_text().splitlines()[1].startswith("tiny,small-clip,CLIP-Freeze")
    assert list(pd.read_csv(other / TABLE)["method"]) == ["CLIP-Freeze"]
    assert not (project / "results").exists() and not (project / "data").exists()
    assert nothing_to_do(other, project=project)
    beside = set(re.search(r"^beside a cluster: (.*)$", output, re.MULTILINE)[1].split())
    assert {"fewshot_all", "fewshot_fetch_archive", "fewshot_write_tables", "fewshot_verify"} <= beside
    assert not {"mine", "fewshot_train_model", "fewshot_decode_frames"} & beside
    for script in (project / "workflow_scripts").glob("*.py"):
        script.write_text(script.read_text() + "\n# a comment\n")
    assert nothing_to_do(other, project=project)
    (other / "mine.py").write_text(MINE + "\n# a comment\n")
    assert rules_to_run(other, project=project) == {"mine"}
    script = project / "workflow_scripts/write_tables.py"
    script.write_text(script.read_text() + "\nprint('more')\n")
    assert rules_to_run(other, project=project) == {"fewshot_write_tables", "mine"}


def test_a_module_is_not_moved_below_a_prefix(repository, tmp_path):
    other = importing(tmp_path / "other", repository, f'"{repository}/Snakefile"', TABLE, 'prefix: "fewshot"')
    output = snakemake(other, "--dry-run", ok=False)
    assert "leave the prefix out, and give such a run a directory of its own" in output and "Traceback" not in output


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
def test_a_module_comes_from_a_repository(repository, tmp_path):
    """As of `github(…)`, of which Snakemake has a clone already: no network is needed, but the package installed."""
    source = copy_project(repository, tmp_path / "source")
    clone = tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/some/one"
    identity = ["-c", "user.name=somebody", "-c", "user.email=some@body"]
    for words in (
        ["init", "--quiet"],
        ["add", "--all"],
        [*identity, "commit", "--quiet", "--no-verify", "--message=all"],
        ["tag", "v1"],
        ["clone", "--quiet", "--bare", str(source), str(clone)],
    ):
        subprocess.run(["git", *words], cwd=source, check=True)
    other = importing(tmp_path / "other", source, 'github("some/one", path="Snakefile", tag="v1")', TABLE)
    shutil.rmtree(source)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    planned = rules_to_run(other, PYTHONPATH=str(repository), **cache)
    assert {"fewshot_render_videos", "fewshot_decode_frames", "fewshot_write_tables", "mine"} <= planned
    output = snakemake(other, "--dry-run", ok=False, PYTHONPATH="", **cache)
    assert "the package fsar, which is not installed: install it beside Snakemake" in output


def below(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_a_run_has_a_directory_of_its_own(repository, tmp_path):
    """From the checkout by --directory, or from the directory by --snakefile: the checkout stays as it is."""
    project, stills = copy_project(repository, tmp_path / "the project"), "data/small_clip/small-clip.parquet"
    before, study = below(project), tmp_path / "studies of mine/one (1)"
    snakemake(project, stills, "--directory", str(study), *TINY)
    assert below(project) == before and (study / stills).is_file()
    tiny = ["--configfile", str(project / "configs/tiny.yaml")]
    assert nothing_to_do(study, stills, "--snakefile", f"{project}/Snakefile", *tiny)
    # Of another study, in another directory, nothing is there; its config names a file of the checkout.
    methods = ["--configfile", "configs/methods.yaml"]
    planned = rules_to_run(project, "--directory", str(tmp_path / "two"), *methods)
    assert {"render_videos", "decode_frames", "train_model"} <= planned and below(project) == before


@pytest.fixture(scope="module")
def of_another():
    """A checkout that its user may only read, and a function that runs Snakemake in a folder of their own."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can run a program as another user, by setpriv")
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are closed to others
        Path(place).chmod(0o755)
        project, mine = copy_project(REPOSITORY, Path(place) / "project"), Path(place) / "mine"
        mine.mkdir()
        os.chown(mine, NOBODY, NOBODY)
        variables = {**os.environ, **VARIABLES, "HOME": str(mine), "PYTHONDONTWRITEBYTECODE": "1"}
        variables.pop("PYTHONPATH", None)

        def run(*arguments):
            whole = [*AS_NOBODY, *command(*arguments, "--directory", str(mine), *TINY)]
            run = subprocess.run(whole, cwd=project, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert run.returncode == 0, run.stdout.decode()
            return run.stdout.decode()

        before = below(project)
        yield run, mine
        assert below(project) == before


def test_another_user_plans_a_run_of_a_checkout_that_is_not_theirs(of_another):
    run, _ = of_another
    assert "This was a dry-run" in run("--dry-run")


def test_another_user_runs_a_rule_of_it(of_another):
    run, mine = of_another
    can_run_python = [*AS_NOBODY, "sh", "-c", f"{shlex.quote(sys.executable)} -c pass"]
    if subprocess.run(can_run_python, capture_output=True).returncode != 0:
        pytest.skip(f"other users of this machine may not run {sys.executable}")
    stills = "data/small_clip/small-clip.parquet"
    run(stills)
    assert (mine / stills).stat().st_uid == NOBODY
