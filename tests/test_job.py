"""What a job does with its errors: a sentence ends it, once for each run of Snakemake."""

import subprocess
import sys
from pathlib import Path

import pytest

from fsar.job import RUN

PROGRAM = """
import sys
from fsar.errors import UserError
from fsar.job import logged
with logged("job.log"):
    open("begun", "a").write("x")
    if sys.argv[1] == "mistake":
        raise UserError("x.csv: the value in line 3 is empty; fill it in")
    if sys.argv[1] == "crash":
        raise RuntimeError("a bug")
"""


@pytest.fixture
def job(tmp_path, repository):
    def run(how: str, of: str) -> "tuple[int, str, int]":
        """Return the job's status, what it said, and how often it has begun its work."""
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, how],
            cwd=tmp_path,
            env={"PYTHONPATH": str(repository), **({RUN: of} if of else {})},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stderr, len((tmp_path / "begun").read_text())

    return run


def test_what_a_sentence_has_explained_is_not_tried_again_in_the_same_run(job, tmp_path):
    for _ in range(3):
        status, said, begun = job("mistake", "run 1")
        assert (status, begun) == (1, 1) and "the value in line 3 is empty; fill it in" in said
        assert "the value in line 3 is empty" in (tmp_path / "job.log").read_text()
    assert job("mistake", "run 2")[2] == 2  # another run tries again
    assert job("fine", "run 3")[::2] == (0, 3)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".told"] == []


def test_a_crash_is_tried_again(job):
    assert [job("crash", "run 1")[2] for _ in range(2)] == [1, 2]


def test_outside_snakemake_every_call_tries(job):
    assert [job("mistake", "")[2] for _ in range(2)] == [1, 2]


def test_the_workflow_names_its_runs(repository):
    rules = Path(repository / "rules/common.smk").read_text()
    assert f'os.environ |= {{"{RUN}": secrets.token_hex(8)}}' in rules
