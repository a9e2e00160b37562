"""`make gpu-check` on a CPU, small: no line of it may fail on a GPU for a silly reason; and who sees GPUs in tests."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from perf.gpu import goals
from tests.conftest import pytest_configure


@pytest.mark.slow
def test_the_whole_check_on_a_cpu(tmp_path, repository):
    def run(*arguments):
        command = [sys.executable, "-m", *arguments]
        variables = {**os.environ, "FSAR_GPU_CHECK_DEVICE": "cpu"}
        done = subprocess.run(command, cwd=repository, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    tests = run("pytest", "-m", "gpu", "-p", "no:cacheprovider", "tests/test_gpu.py")
    assert int(re.search(r"(\d+) passed", tests)[1]) > 30
    run("perf.gpu", str(tmp_path))
    page = (tmp_path / "README.md").read_text()
    assert "the numbers mean nothing" in page and "## Memory" in page
    steps = pd.read_csv(tmp_path / "training_steps.csv")
    assert list(steps["step"]) == [
        "backbone alone",
        "training step, deterministic: false",
        "training step",
        "plain way",
    ]
    reached = pd.read_csv(tmp_path / "goals.csv")
    assert list(reached["goal"]) == ["at most 1.15", "at least 3", "at most 0.05"]
    alone, *others = steps["TFLOP"]
    assert 0 < alone < min(others)
    assert (steps[["seconds", "limit of operations, s", "limit of bytes, s"]] > 0).all(axis=None)


def test_goals_are_told_beside_what_was_found():
    def step(way, seconds):
        return {"backbone": "RN50", "arithmetic": "bf16", "step": way} | ({"seconds": seconds} if seconds else {})

    whole = "training step, deterministic: false"
    steps = [step("backbone alone", 1.0), step(whole, 1.1), step("training step", 2.0), step("plain way", 3.2)]
    found = goals(steps, [{"backbone": "RN50", "arithmetic": "bf16", "waited, s": 0.1, "step, s": 1.0}])
    assert [round(row["found"], 3) for row in found] == [1.1, 2.909, 0.1]
    assert [row["reached"] for row in found] == ["yes", "no", "no"]
    assert {row["arithmetic"] for row in found} == {"bf16"}
    without = goals([step("backbone alone", 1.0), step(whole, None), step("plain way", 3.2)], [])
    assert without == []


@pytest.mark.parametrize(("chosen", "hidden"), [("gpu", False), ("not slow and not gpu", True), ("", True)])
def test_gpus_are_hidden_from_all_tests_but_their_own(monkeypatch, chosen, hidden):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # as this run has it
    pytest_configure(SimpleNamespace(option=SimpleNamespace(markexpr=chosen)))
    assert (os.environ.get("CUDA_VISIBLE_DEVICES") == "") is hidden
