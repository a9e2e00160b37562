"""The table of a run that failed in part: a name of its own, and no error of its own."""

from pathlib import Path

import pytest

from fsar.results import table
from fsar.results.partial_table import partial_table, remove_partial_table
from fsar.results.setting import Setting
from fsar.seal import beside


def setting(benchmark: str) -> Setting:
    names = {"title": "OTAM", "way": 5, "shot": 1, "seeds": (1,), "selection": "val", "frames": 8, "depth": 1}
    files = {"predictions": (f"{benchmark}.parquet",), "counts": f"{benchmark}.json", "episodes": "e", "manifest": "m"}
    return Setting(benchmark=benchmark, backbone="RN50", method="otam", base=benchmark, **names, **files)


WHOLE = Path("results/table.csv")
SETTINGS = [setting("one"), setting("two")]


@pytest.fixture
def name(tmp_path, monkeypatch):
    def write(settings, csv, markdown, missing):
        csv.write_text(",".join(own.benchmark for own in settings))
        beside(csv).touch()
        markdown.write_text(",".join(own.benchmark for own in missing))

    monkeypatch.setattr(table, "write_tables", write)
    return tmp_path / "partial-table"


def test_what_was_made_is_written_and_what_is_missing_is_told(name):
    told = partial_table(SETTINGS, {str(WHOLE), "two.parquet"}, WHOLE, name)
    assert "partial-table.csv has the rows of what was made. Missing: rows of two with RN50" in told
    assert (name.with_suffix(".csv").read_text(), name.with_suffix(".md").read_text()) == ("one", "two")
    remove_partial_table(name)
    assert list(name.parent.iterdir()) == []


def test_an_older_part_does_not_stay_beside_what_is_true_now(name):
    partial_table(SETTINGS, {str(WHOLE), "two.parquet"}, WHOLE, name)
    assert partial_table(SETTINGS, {str(WHOLE), "one.json", "two.json"}, WHOLE, name) is None
    assert list(name.parent.iterdir()) == []


def test_a_table_that_is_there_needs_no_part(name):
    assert partial_table(SETTINGS, {"results/index.html"}, WHOLE, name) is None
    assert list(name.parent.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("a"), RuntimeError("a bug")])
def test_what_stops_the_part_does_not_hide_why_the_run_failed(name, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(table, "write_tables", fail)
    told = partial_table(SETTINGS, {str(WHOLE), "two.parquet"}, WHOLE, name)
    assert told == f"The table of what was made cannot be written: {error}"
