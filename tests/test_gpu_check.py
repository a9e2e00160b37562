"""The check for a first hour on a GPU, rehearsed on the CPU: no line of it may fail there for a silly reason."""

import os
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from perf.gpu_check import __main__ as program
from perf.gpu_check.device import Device
from perf.gpu_check.page import cell, table
from perf.gpu_check.parts import PARTS, SECONDS
from perf.gpu_check.running import Part
from perf.gpu_check.sizes import FULL
from tests.conftest import pytest_configure


def well(data, sizes, device, findings):
    findings.row("things", name="one | two", seconds=1 / 3)
    findings.row("things", name="three", seconds=float("nan"), remark="none")
    findings.check("one is one", True)
    findings.row("loss_scale", step=0, scale=4.0)
    findings.row("loss_scale", step=9, scale=2.0)


def broken(data, sizes, device, findings):
    findings.row("half", number=1)
    raise ValueError("the disk is made of cheese")


def late(data, sizes, device, findings):
    findings.row("early", number=2)
    time.sleep(60)


def false(data, sizes, device, findings):
    findings.check("two is one", 2 == 1, "it is two")


def test_a_part_that_fails_or_is_late_keeps_its_rows_and_the_others_go_on(tmp_path, capfd):
    parts = [Part(run.__name__, f"Part {run.__name__}", seconds, run)
             for run, seconds in ((broken, 20), (late, 0.25), (false, 20), (well, 20))]  # fmt: skip
    assert program.check(tmp_path, parts, rehearse=True) == 1
    page = (tmp_path / "README.md").read_text()
    assert "1 of 2 checks hold; 2 parts failed." in page and "two is one: it is two" in page
    assert "ValueError: the disk is made of cheese" in page and "ended after its 2 s" in page and "in late" in page
    assert pd.read_csv(tmp_path / "half.csv")["number"].tolist() == [1]
    assert pd.read_csv(tmp_path / "early.csv")["number"].tolist() == [2]
    assert "| one / two | 0.3333 | – |\n| three | – | none |" in page
    assert pd.read_csv(tmp_path / "parts.csv")["ended"].tolist() == ["failed", "failed", "1 checks do not hold", "well"]
    assert (tmp_path / "loss_scale.png").stat().st_size > 1000 and "![loss_scale](loss_scale.png)" in page
    told = capfd.readouterr().out
    assert "4/4 Part well" in told and "[well] things: name one | two" in told and "made of cheese" in told

    (tmp_path / "mine.csv").touch()
    assert program.check(tmp_path, parts[3:], rehearse=True) == 0
    assert not (tmp_path / "half.csv").exists() and (tmp_path / "mine.csv").exists()
    assert "cheese" not in (tmp_path / "README.md").read_text()


def test_what_has_no_time_left_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "SECONDS", 0.1)
    assert program.check(tmp_path, [Part("well", "Part well", 20, well)], rehearse=True) == 1
    assert "no time was left" in (tmp_path / "README.md").read_text()


def test_without_a_gpu_it_says_what_to_do(capsys, tmp_path):
    assert program.main([str(tmp_path / "none")]) == 2
    assert "finds no NVIDIA GPU here" in capsys.readouterr().err and not (tmp_path / "none").exists()
    with pytest.raises(SystemExit):
        program.main([str(tmp_path / "none"), "--rehearse", "--parts", "world,moon"])
    assert "no such part: moon; there are world" in capsys.readouterr().err


def test_time_for_all_parts_but_the_last():
    assert len({part.name for part in PARTS}) == len(PARTS)
    assert SECONDS < 600 and PARTS[-1].name == "compilation"
    assert FULL.compile_seconds < PARTS[-1].seconds


def test_a_cpu_pretends(tmp_path):
    device = Device("cpu")
    calls = []
    device.graph(lambda: calls.append(1))()
    assert device.peak(lambda: calls.append(2)) == device.allocated() == 0 and device.seconds(lambda: None) < 1
    assert calls == [1, 2] and device.facts()["device"].endswith("CPU")


@pytest.mark.parametrize(("chosen", "hidden"), [("gpu", False), ("not slow and not gpu", True), ("", True)])
def test_gpus_are_hidden_from_all_tests_but_their_own(monkeypatch, chosen, hidden):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # as this run has it
    pytest_configure(SimpleNamespace(option=SimpleNamespace(markexpr=chosen)))
    assert (os.environ.get("CUDA_VISIBLE_DEVICES") == "") is hidden


def test_cells():
    assert [cell(value) for value in (None, True, 0.12345, 3, "a|b")] == ["–", "yes", "0.1235", "3", "a/b"]
    assert table([{"a": 1}, {"b_c": 2}]) == "| a | b c |\n|---|---|\n| 1 | – |\n| – | 2 |\n"


@pytest.mark.slow
def test_the_whole_rehearsal(tmp_path):
    status = program.main([str(tmp_path / "check"), "--rehearse"])
    page = (tmp_path / "check/README.md").read_text()
    assert status == 0, page
    parts = pd.read_csv(tmp_path / "check/parts.csv")
    assert parts["part"].tolist() == [part.name for part in PARTS] and set(parts["ended"]) == {"well"}
    assert all(part.title in page for part in PARTS) and "its numbers mean nothing" in page
    steps = pd.read_csv(tmp_path / "check/steps.csv")
    assert set(steps["choice"]) >= {"fast", "backbone alone", "deterministic", "plain way", "CUDA graph"}
    assert steps["seconds"].notna().all()
    for plot in ("steps", "compilation", "memory", "evaluation", "loss_scale"):
        assert (tmp_path / f"check/{plot}.png").stat().st_size > 1000
