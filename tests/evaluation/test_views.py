"""Several draws of the test videos' frames: each is a test, and their spread is told."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fsar.config import SamplingConfig
from fsar.evaluation.encode_videos import EvaluationClips
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA, predictions_writer, read_predictions, views_of
from fsar.records.check import check_records
from fsar.records.fields import read_records
from fsar.results.comparisons import compare
from fsar.statistics.intervals import mean_and_interval
from fsar.videos.sampling import positions_at_test
from tests.evaluation.test_evaluation import Frames as SameFrames
from tests.helpers.workflow import TABLE, overlay, snakemake
from tests.results.test_results import predictions, setting


def test_the_first_draw_is_that_of_a_single_one_and_the_others_differ():
    for name in "ab":
        one, *others = (positions_at_test(name, 400, 30, SamplingConfig(views=3), 0, view=view) for view in range(3))
        assert list(one) == list(positions_at_test(name, 400, 30, SamplingConfig(), 0))
        assert len({tuple(own) for own in (one, *others)}) == 3


@pytest.mark.parametrize("kept", [{"at_test": "centres"}, {"strategy": "span"}])
def test_what_is_not_drawn_is_looked_at_once(kept):
    assert SamplingConfig(views=3).draws == 3 and SamplingConfig(views=3, **kept).draws == 1


class Frames(SameFrames):
    """A store of two videos whose frames show their position and the video's number."""

    def length(self, number):
        return 80

    def read(self, number, positions, top, left, clip):
        clip[:] = (100 * number + positions)[:, None, None, None]


def test_all_videos_come_in_one_view_and_then_in_the_next():
    clips = EvaluationClips(Frames(), ["v1", "v0"], SamplingConfig(views=2), 8, 0, views=2)
    found = [clips[place][:, 0, 0, 0] for place in range(len(clips))]
    expected = [
        torch.from_numpy(100 * number + positions_at_test(f"v{number}", 80, 10, SamplingConfig(), 0, view=view)).byte()
        for view in (0, 1)
        for number in (1, 0)
    ]
    assert len(found) == 4 and all(map(torch.equal, found, expected))


def in_views(path, *counts):
    """Write predictions of several draws of frames: so many right ones in each episode of each draw."""
    tables = []
    for right in counts:
        predictions(path, right)
        tables.append(pd.read_parquet(path))
    with predictions_writer(path, {}, views=len(counts)) as writer:
        for table in tables:
            writer.write_table(PREDICTIONS_SCHEMA.empty_table().from_pandas(table, PREDICTIONS_SCHEMA))
    return str(path)


def test_accuracies_are_means_over_the_draws_with_an_interval(tmp_path):
    """By hand: 60 % and 80 % in two draws; the other method has 80 % and 90 % in the same ones."""
    files = [
        in_views(tmp_path / "a.parquet", [3] * 20, [4] * 20),
        in_views(tmp_path / "b.parquet", [4] * 20, [4, 5] * 10),
    ]
    found = compare([setting([path], title=path[-9]) for path in files])
    assert list(found.accuracies) == [70, 85]
    assert list(found.over_draws) == [
        pytest.approx(mean_and_interval(np.array(own))[1]) for own in ([60, 80], [80, 90])
    ]
    assert found.differences_over_draws[1, 0] == pytest.approx(mean_and_interval(np.array([20.0, 10.0]))[1])
    assert np.isnan(compare([setting([predictions(tmp_path / "c.parquet", [4] * 20)])]).over_draws).all()


def test_a_run_with_two_views_tells_what_the_draw_adds(tiny_run, tmp_path):
    """The first draw gives what a run without views gives, to the last digit; the middle frames are drawn once."""
    folder = Path(shutil.copytree(tiny_run, tmp_path / tiny_run.name, copy_function=shutil.copy2))
    path = next((folder / "results/predictions/tiny/small-clip/frozen").glob("*.parquet"))
    before = read_predictions(path, "clip-freeze", 3, 1)

    def run(**sampling):
        values = overlay(folder, "views.yaml", run={"methods": ["clip-freeze"], "shots": [1]})
        tiny = folder / "views.yaml"
        tiny.write_text(tiny.read_text().replace("    episodes:", f"    sampling: {sampling}\n    episodes:"))
        snakemake(folder, TABLE, "results/records.json", *values)
        return pd.read_csv(folder / TABLE).iloc[0]

    row = run(views=2)
    found = read_predictions(path, "clip-freeze", 3, 1)
    assert views_of(path) == 2 and len(found) == 2 * len(before)
    pd.testing.assert_frame_equal(found.iloc[: len(before)], before)
    right = (found["label"] == found["predicted"]).to_numpy().reshape(2, -1)
    assert row["accuracy"] == round(100 * right.mean(), 2)
    assert row["over_draws"] == pytest.approx(mean_and_interval(100 * right.mean(axis=1))[1], abs=0.005)
    records = read_records(folder / "results/records.json")
    assert "over_draws" in records[0].intervals and check_records(records, folder / "results") == []
    assert np.isnan(run(views=2, at_test="centres")["over_draws"]) and views_of(path) == 1
