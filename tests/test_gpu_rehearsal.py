"""`make gpu-check` on a CPU, small: no line of it may fail on a GPU for a silly reason; and who sees GPUs in tests."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

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
    alone, *others = steps["TFLOP"]
    assert 0 < alone < min(others)
    assert (steps[["seconds", "limit of operations, s", "limit of bytes, s"]] > 0).all(axis=None)


@pytest.mark.parametrize(("chosen", "hidden"), [("gpu", False), ("not slow and not gpu", True), ("", True)])
def test_gpus_are_hidden_from_all_tests_but_their_own(monkeypatch, chosen, hidden):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # as this run has it
    pytest_configure(SimpleNamespace(option=SimpleNamespace(markexpr=chosen)))
    assert (os.environ.get("CUDA_VISIBLE_DEVICES") == "") is hidden
