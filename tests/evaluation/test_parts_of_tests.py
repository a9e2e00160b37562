"""Parts of a model's tests, put together: every query of every episode once, of one model, or nothing."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fsar.episodes.stored import SCHEMA, StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.evaluate import PlannedTest, gather_predictions
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA, parts_of_file, predictions_writer, read_predictions
from fsar.files import write_parquet

EPISODES, WAY, QUERIES = 6, 3, 2


@pytest.fixture
def planned(tmp_path):
    """Two methods tested on the same stored episodes."""
    rng, path = np.random.default_rng(0), tmp_path / "episodes.parquet"
    rows = [
        (episode, label, role, f"class {label}", f"video {label} {video}")
        for episode in range(EPISODES)
        for label in range(WAY)
        for role, video in zip(("support", "query", "query"), rng.permutation(5)[:3], strict=True)
    ]
    write_parquet(path, pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)
    return [PlannedTest(method, "few-shot", WAY, 1, path) for method in ("one", "two")]


def rows_of(test, episodes):
    """Rows of predictions, as an evaluation of these episodes writes them."""
    stored = StoredEpisodes.read(test.episodes)
    found = [
        {
            "method": test.method, "way": WAY, "shot": 1, "episode": episode, "label": label,
            "class_name": stored.class_names[stored.classes[episode, label]],
            "video_id": stored.video_ids[stored.queries[episode, label, query]],
            "predicted": label, "logits": [float(episode)] * WAY,
        }
        for episode in episodes
        for label in range(WAY)
        for query in range(QUERIES)
    ]  # fmt: skip
    return pa.Table.from_pylist(found, PREDICTIONS_SCHEMA)


def write(folder, planned, parts, made="this"):
    paths = []
    for number, episodes in enumerate(parts):
        paths.append(folder / f"part{number}of{len(parts)}.parquet")
        with predictions_writer(paths[-1], {"the trained weights": made}, len(parts)) as writer:
            for test in planned:
                writer.write_table(rows_of(test, episodes))
    return paths


def test_parts_that_are_whole_are_one_file(planned, tmp_path):
    parts = write(tmp_path, planned, [[0, 1], [2, 3, 4], [5]])
    gather_predictions(parts, planned, tmp_path / "all.parquet")
    assert list(read_predictions(tmp_path / "all.parquet", "two", WAY, 1)["episode"].unique()) == list(range(EPISODES))
    assert pq.ParquetFile(tmp_path / "all.parquet").num_row_groups == 2 and parts_of_file(tmp_path / "all.parquet") == 3


@pytest.mark.parametrize(
    "episodes",
    [
        [[0, 1, 2], [2, 3, 4, 5]],  # twice: parts of two numbers of jobs
        [[0, 1, 2], [4, 5]],  # one is missing
        [[0, 1, 2], [3, 4]],  # the last is missing
        [[3, 4, 5], [0, 1, 2]],  # in another order
        [[0, 1, 2], [3, 4, 5, 5]],
        [[], []],
    ],
)
def test_parts_that_do_not_fit_together_are_refused(planned, tmp_path, episodes):
    parts = write(tmp_path / "parts", planned, episodes)
    with pytest.raises(
        UserError, match=f"do not hold each of the 36 queries of the 6 episodes once.*Delete {tmp_path}"
    ):
        gather_predictions(parts, planned, tmp_path / "all.parquet")
    assert not (tmp_path / "all.parquet").exists()


def test_a_query_that_is_another_one_is_refused(planned, tmp_path):
    parts = write(tmp_path / "parts", planned, [[0, 1, 2], [3, 4, 5]])
    table = pq.read_table(parts[0]).to_pylist()
    table[1] = table[0]
    with predictions_writer(parts[0], {"the trained weights": "this"}, 2) as writer:
        writer.write_table(pa.Table.from_pylist(table, PREDICTIONS_SCHEMA))
    with pytest.raises(UserError, match="do not hold each"):
        gather_predictions(parts, planned, tmp_path / "all.parquet")


def test_parts_of_two_models_are_refused(planned, tmp_path):
    first, _ = write(tmp_path / "parts", planned, [[0, 1, 2], [3, 4, 5]])
    _, second = write(tmp_path / "others", planned, [[0, 1, 2], [3, 4, 5]], made="that")
    with pytest.raises(UserError, match="the trained weights: other contents"):
        gather_predictions([first, second], planned, tmp_path / "all.parquet")


def test_a_test_that_no_part_has_is_refused(planned, tmp_path):
    parts = write(tmp_path / "parts", planned[:1], [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(UserError, match="two is tested"):
        gather_predictions(parts, planned, tmp_path / "all.parquet")
