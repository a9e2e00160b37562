"""Drawing and storing episodes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsar.episodes.draw import EpisodeSampler, training_episode
from fsar.episodes.stored import StoredEpisodes, draw_episodes, readable_videos
from fsar.errors import UserError
from fsar.evaluation.evaluate import PlannedTest, _queries, _rows
from fsar.files import write_parquet
from fsar.results.accuracies import _right_by_class
from fsar.sources.manifest import SCHEMA
from fsar.videos.shards import INDEX_SCHEMA

LABELS = np.repeat(np.array([f"class {i}" for i in range(7)], object), 9)


@given(seed=st.integers(0, 2**32 - 1), way=st.integers(2, 7), shot=st.integers(1, 5), queries=st.integers(1, 4))
def test_an_episode_is_a_fair_task(seed, way, shot, queries):
    episode = EpisodeSampler(LABELS, way, shot, queries).draw(np.random.default_rng(seed))
    assert len(set(episode.classes)) == way
    videos = np.concatenate([episode.support, episode.queries], axis=1)
    assert videos.shape == (way, shot + queries)
    assert len(set(videos.ravel())) == videos.size  # no video twice, so no query in a support
    assert (videos // 9 == episode.classes[:, None]).all()  # every video of its class


def test_training_episodes_are_a_function_of_seed_and_number():
    sampler = EpisodeSampler(LABELS, 5, 1, 5)
    draws = {(s, n): training_episode(sampler, s, n)[0].support.tobytes() for s in (0, 1) for n in range(50)}
    assert len(set(draws.values())) == 100
    assert training_episode(sampler, 1, 49)[0].support.tobytes() == draws[1, 49]


def test_every_class_and_video_gets_its_turn():
    sampler = EpisodeSampler(LABELS, 5, 1, 1)
    episodes = [training_episode(sampler, 0, n)[0] for n in range(700)]
    classes = np.bincount(np.concatenate([e.classes for e in episodes]), minlength=7)
    videos = np.bincount(np.concatenate([e.support.ravel() for e in episodes]), minlength=63)
    assert abs(classes - 500).max() < 60 and videos.min() > 25


@pytest.mark.parametrize(
    ("way", "shot", "message"), [(8, 1, "8 classes cannot be drawn from 7"), (5, 9, "'class 0' has 9 readable videos")]
)
def test_too_few_classes_or_videos(way, shot, message):
    with pytest.raises(UserError, match=message):
        EpisodeSampler(LABELS, way, shot, 1)


@pytest.fixture
def data(tmp_path):
    ids = [f"{label}/{i}.mp4" for i, label in enumerate(LABELS)]
    manifest = pd.DataFrame(
        {"video_id": ids, "path": ids, "class_name": LABELS, "split": "test", "source": "here", "group": ""}
    )
    texts = {"video_id": ids, "decoder": "pyav", "status": "ok", "error": "", "notes": "", "variable_rate": False}
    index = pd.DataFrame(dict.fromkeys(INDEX_SCHEMA.names, 0) | texts)
    index.loc[0, "status"] = "failed"
    write_parquet(tmp_path / "manifest.parquet", manifest, SCHEMA)
    write_parquet(tmp_path / "index.parquet", index, INDEX_SCHEMA)
    return tmp_path


def drawn(data, name, *, shot=2, count=40, seed=0, split="test", unknown=0):
    path = data / name
    draw_episodes(
        data / "manifest.parquet", data / "index.parquet", split, 5, shot, 1, count, seed, path, unknown=unknown
    )
    return path


def test_stored_episodes_come_back_whole(data):
    path = drawn(data, "episodes.parquet")
    episodes = StoredEpisodes.read(path)
    assert episodes.classes.shape == (40, 5) and episodes.support.shape == (40, 5, 2)
    assert episodes.queries.shape == (40, 5, 1)
    table = pd.read_parquet(path)
    support = table[(table["episode"] == 7) & (table["label"] == 3) & (table["role"] == "support")]
    assert [episodes.video_ids[i] for i in episodes.support[7, 3]] == list(support["video_id"])
    assert episodes.class_names[episodes.classes[7, 3]] == support["class_name"].iloc[0]
    names = np.array(episodes.class_names)[episodes.classes]
    assert all(
        id.startswith(name)
        for id, name in zip(np.array(episodes.video_ids)[episodes.queries[..., 0]].ravel(), names.ravel(), strict=True)
    )


def test_broken_videos_are_in_no_episode(data):
    assert "class 0/0.mp4" not in StoredEpisodes.read(drawn(data, "many.parquet", count=500)).video_ids


def test_same_seed_same_bytes(data):
    first, again, other = (drawn(data, f"{i}.parquet", seed=seed).read_bytes() for i, seed in enumerate((0, 0, 1)))
    assert first == again != other


def test_too_few_readable_videos_name_the_class(data):
    with pytest.raises(UserError, match=r"test split of .*'class 0' has 8 readable videos"):
        drawn(data, "none.parquet", shot=8)


def test_splits_ways_shots_and_queries_have_draws_of_their_own(data):
    """Of the same classes and videos: no two kinds of episodes share a stream of chance."""
    everywhere = pd.read_parquet(data / "manifest.parquet")
    orders = {}
    for split in ("train", "val", "test"):
        write_parquet(data / "manifest.parquet", everywhere.assign(split=split), SCHEMA)
        for shot in (1, 2):
            episodes = StoredEpisodes.read(drawn(data, f"{split}{shot}.parquet", split=split, shot=shot))
            orders[split, shot] = tuple(np.array(episodes.class_names)[episodes.classes].ravel())
    assert len(set(orders.values())) == len(orders)


def test_episodes_of_a_split_have_its_videos_alone(data):
    manifest = pd.read_parquet(data / "manifest.parquet")
    of_val = manifest["class_name"].isin([f"class {i}" for i in range(5)])
    write_parquet(data / "manifest.parquet", manifest.assign(split=np.where(of_val, "val", "test")), SCHEMA)
    assert set(StoredEpisodes.read(drawn(data, "val.parquet", split="val")).class_names) == {
        f"class {i}" for i in range(5)
    }
    with pytest.raises(UserError, match=r"test split of .*5 classes cannot be drawn from 2"):
        drawn(data, "test.parquet")


def test_classes_that_are_left_out_are_in_no_episode(data):
    """Whatever the spelling of their names; a test class of such a name stays."""
    table = pd.read_parquet(data / "manifest.parquet")
    table.loc[table["class_name"] != "class 6", "split"] = "val"
    write_parquet(data / "manifest.parquet", table, SCHEMA)
    files = data / "manifest.parquet", data / "index.parquet"
    draw_episodes(*files, "val", 5, 1, 1, 30, 0, data / "val.parquet", ["CLASS_3"])
    assert StoredEpisodes.read(data / "val.parquet").class_names == [f"class {n}" for n in (0, 1, 2, 4, 5)]
    with pytest.raises(
        UserError, match=r"To be left out are 'class 6', 'x', but .* has no training or validation class"
    ):
        readable_videos(*files, "val", ["class 6", "class 1", "x"])
    table.loc[table["class_name"] == "class 6", "class_name"] = "class-3"
    write_parquet(data / "manifest.parquet", table, SCHEMA)
    assert len(readable_videos(*files, "test", ["class 3"])) == 9


def test_unknown_queries_leave_the_other_rows_as_they_are(data):
    files = [drawn(data, f"{unknown}.parquet", unknown=unknown) for unknown in (0, 1, 5)]
    closed, *opened = (pd.read_parquet(path).astype(str) for path in files)
    for table in opened:
        pd.testing.assert_frame_equal(table.iloc[: len(closed)], closed)
        assert set(table.iloc[len(closed) :]["role"]) == {"unknown"} and set(table["label"][len(closed) :]) == {"-1"}
    one, five = (StoredEpisodes.read(path) for path in files[1:])
    names = [np.array(own.video_ids)[own.unknown] for own in (one, five)]
    assert (names[0] == names[1][:, :1]).all()  # the first of more are those of fewer
    part = five.between(3, 9)
    assert (part.unknown == five.unknown[3:9]).all() and part.unknown_classes.shape == (6, 5)


def test_unknown_queries_are_of_other_classes_and_no_video_twice(data):
    episodes = StoredEpisodes.read(drawn(data, "episodes.parquet", unknown=5, count=300))
    videos, classes = np.array(episodes.video_ids), np.array(episodes.class_names)
    assert StoredEpisodes.read(drawn(data, "closed.parquet")).unknown.shape == (40, 0)
    counts = np.zeros(7)
    for own, names, drawn_videos in zip(episodes.classes, episodes.unknown_classes, episodes.unknown, strict=True):
        assert not set(own) & set(names) and len(set(drawn_videos)) == 5
        assert sorted(np.bincount(names)[np.bincount(names) > 0]) == [2, 3]  # the two others take turns
        assert all(v.startswith(f"{c}/") for v, c in zip(videos[drawn_videos], classes[names], strict=True))
        counts += np.bincount(names, minlength=7)
    assert abs(counts / counts.mean() - 1).max() < 0.3
    assert "class 0/0.mp4" not in videos[episodes.unknown]  # which cannot be read


@pytest.mark.parametrize(
    ("way", "unknown", "message"),
    [(7, 1, "no more than 7 classes; set way lower"), (6, 10, "'class 0' has 9 .*the nearest valid number is 9")],
)
def test_too_few_other_classes_or_videos(way, unknown, message):
    sampler = EpisodeSampler(LABELS, way, 1, 1)
    sampler.check_unknown(0)
    with pytest.raises(UserError, match=message):
        sampler.check_unknown(unknown)


def test_queries_in_all_may_leave_a_class_without_one(data):
    files = data / "manifest.parquet", data / "index.parquet", "test", 5, 2
    draw_episodes(*files, 3, 400, 0, data / "all.parquet")
    draw_episodes(*files, 3, 400, 0, data / "some.parquet", in_all=3)
    balanced, some = (StoredEpisodes.read(data / name) for name in ("all.parquet", "some.parquet"))
    assert balanced.asked is None and some.asked is not None
    assert (some.queries == balanced.queries).all() and (some.support == balanced.support).all()
    assert (some.asked.sum(axis=(1, 2)) == 3).all()
    of_classes = some.asked.sum(axis=2)
    assert set(of_classes.ravel()) == {0, 1, 2, 3}
    assert (np.diff(some.asked.astype(int), axis=2) <= 0).all()  # the first ones of each class
    # As of a draw from all that is left: the number of a class is hypergeometric.
    frame = pd.read_parquet(data / "manifest.parquet").query("split == 'test'")
    left = frame["class_name"].value_counts() - 2
    some_left = left[np.array(some.class_names)[some.classes].ravel()].to_numpy().reshape(some.classes.shape)
    expected = 3 * some_left / some_left.sum(axis=1, keepdims=True)
    for place in range(5):
        assert of_classes[:, place].mean() == pytest.approx(expected[:, place].mean(), abs=0.12)
    assert (some.between(5, 9).asked == some.asked[5:9]).all()
    rows = _queries(some.between(5, 9), 5)
    assert len(rows) == 12 and set(rows["episode"]) == {5, 6, 7, 8}
    wanted = [some.video_ids[video] for video in some.queries[5:9][some.asked[5:9]]]
    assert list(rows["video_id"]) == wanted
    answered = _rows(
        PlannedTest("otam", "support", 5, 2, data / "some.parquet", True),
        some.between(5, 9),
        {"logits": np.arange(4 * 15 * 5, dtype=np.float32).reshape(4, 15, 5)},
        5,
    )
    kept = np.arange(4 * 15).reshape(4, 5, 3)[some.asked[5:9]]
    assert [logits[0] for logits in answered["logits"]] == [5.0 * place for place in kept]
    # The mean over classes is the accuracy, whatever number of queries a class has.
    answered["predicted"] = np.arange(12) % 5
    right = (answered["label"] == answered["predicted"]).to_numpy().reshape(4, 3).mean(axis=1)
    answered["episode"] -= 5
    np.testing.assert_allclose(_right_by_class(answered).mean(axis=1), right)
