"""The table and the figure."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard

from fsar.evaluation.predictions import PREDICTIONS_SCHEMA
from fsar.files import atomic, write_json, write_parquet
from fsar.model.methods import METHODS
from fsar.results.figures.accuracy import accuracy_figure
from fsar.results.model_card import write_model_card
from fsar.results.published import published_result, published_results
from fsar.results.table import COLUMNS, Setting, write_tables


def predictions(path, right):
    """Write predictions of episodes with five queries, `right` of which are correct in each."""
    rows = [(e, label, "a", label if label < n else (label + 1) % 5) for e, n in enumerate(right) for label in range(5)]
    frame = pd.DataFrame(rows, columns=PREDICTIONS_SCHEMA.names)
    write_parquet(path, frame, PREDICTIONS_SCHEMA)
    write_json(path.with_name("counts.json"), {"listed": 1300, "missing": 4, "failed": 2, "used": 1294})
    return str(path)


def setting(files, **changes):
    values = {
        "benchmark": "hmdb51", "backbone": "RN50", "key": "clip-fsar", "method": "CLIP-FSAR", "way": 5, "shot": 1,
        "seeds": [1], "selection": "val", "predictions": files, "counts": str(Path(files[0]).with_name("counts.json")),
        "base": "hmdb51", "frames": 8, "depth": 1,
        "published_as": {"method": "CLIP-FSAR", "backbone": "CLIP-RN50"},
    }  # fmt: skip
    return Setting(**(values | changes))


def test_a_row_has_mean_interval_and_the_published_figure(tmp_path):
    right = [5, 4, 3, 4] * 25
    files = [predictions(tmp_path / "1.parquet", right)]
    write_tables([setting(files)], tmp_path / "table.csv", tmp_path / "table.md")
    row = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert list(row.index) == COLUMNS
    accuracies = 20 * np.array(right)
    assert row["accuracy"] == accuracies.mean() and row["episodes"] == 100
    assert row["interval"] == pytest.approx(1.984 * accuracies.std(ddof=1) / 10, abs=0.01)
    published = published_results().query("method == 'CLIP-FSAR' and backbone == 'CLIP-RN50' and benchmark == 'hmdb51'")
    assert row["published"] == published.query("way == 5 and shot == 1")["accuracy"].item()
    assert row["videos"] == "1294 of 1300"
    assert "2303.02982" in row["source"] and row["selection"] == "val"


def test_seeds_are_averaged_before_episodes(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 3] * 20), predictions(tmp_path / "2.parquet", [3, 5] * 20)]
    write_tables([setting(files, seeds=[1, 2])], tmp_path / "table.csv", tmp_path / "table.md")
    row = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert (row["accuracy"], row["interval"], row["over_seeds"], row["seeds"]) == (80.0, 0.0, 0.0, "1 2")


def test_what_is_not_published_is_an_empty_cell(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 3] * 20)]
    unknown = setting(
        files, benchmark="demo", selection="not trained", published_as={"method": "CLIP-Freeze", "backbone": ""}
    )
    write_tables([unknown], tmp_path / "table.csv", tmp_path / "table.md")
    row = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert np.isnan(row["published"]) and np.isnan(row["source"]) and row["selection"] == "not trained"


def test_published_figures_have_sources_and_none_is_doubled_within_one():
    table = published_results()
    assert table["source"].str.len().gt(5).all() and table["accuracy"].between(0, 100).all()
    assert not table.duplicated(["method", "backbone", "benchmark", "way", "shot", "source"]).any()
    assert published_result("CLIP-FSAR", "CLIP-RN50", "hmdb51", 5, 2) is None


def test_the_figure_is_the_same_each_time(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 3, 2] * 20)]
    rows = [setting(files, method=method, shot=shot) for shot in (1, 5) for method in ("OTAM", "CLIP-FSAR")]
    write_tables(rows, tmp_path / "table.csv", tmp_path / "table.md")
    for name in ("a", "b"):
        accuracy_figure(tmp_path / "table.csv", [tmp_path / f"{name}.{kind}" for kind in ("pdf", "svg", "png")])
    for kind in ("pdf", "svg", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    text = (tmp_path / "a.svg").read_text()
    assert all(word in text for word in ("CLIP-FSAR", "OTAM", "chance", "shots", "hmdb51, RN50, 5-way"))


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.glob("deep/*")) == []
    with atomic(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_every_published_name_is_published():
    names = set(published_results()["method"])
    assert [m.title for m in METHODS.values() if m.published_as and m.published_as not in names] == []


def test_a_model_card_has_what_a_reader_asks(tmp_path):
    about = {
        "components": {"metric": "otam"}, "backbone": {"weights": "openai"}, "sampling": {"frames": 8}, "head": {},
        "training": {"iterations": 5000, "learning_rate": 1e-5}, "seed": 1, "data_seed": 0,
        "selection": {"split": "val", "iteration": 300, "accuracy": 0.701},
        "videos": {"train": {"classes": 31, "videos": 4280}, "val": {"classes": 10, "videos": 1194}},
        "environment": {"torch": "2.15.0"},
    }  # fmt: skip
    write_json(tmp_path / "training.json", about)
    files = [predictions(tmp_path / "1.parquet", [5, 4, 3, 4] * 25)]
    rows = [setting(files), setting(files, shot=5)]
    licences = {"videos": "CC BY 4.0", "weights": "MIT"}
    write_model_card(tmp_path / "training.json", rows, "CLIP-FSAR", "Wang et al.", licences, tmp_path / "README.md")
    card = ModelCard.load(tmp_path / "README.md")
    found = [(result.metric_value, result.dataset_config) for result in card.data.eval_results]
    assert found == [(80.0, "5-way 1-shot, CLIP-FSAR"), (80.0, "5-way 5-shot, CLIP-FSAR")]
    for expected in ("80.00", "69.2", "300 of 5000", "70.10 %", "4280", "1e-05", "2.15.0", "CC BY 4.0", "MIT", "seed"):
        assert expected in card.text, expected
