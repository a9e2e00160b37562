"""Evaluation on features against the plain way, and its statistics."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from fsar.config import SamplingConfig
from fsar.episodes.stored import SCHEMA, StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.encode_videos import BATCH, encode_videos, load_clips
from fsar.evaluation.episode_logits import BATCH as BATCHED
from fsar.evaluation.episode_logits import _video_by_video, correct, episode_logits, predict
from fsar.evaluation.evaluate import PlannedTest, evaluate_model, write_predictions
from fsar.evaluation.feature_file import read_features, write_features
from fsar.evaluation.kept_features import Features
from fsar.evaluation.load_head import load_head
from fsar.evaluation.predictions import read_predictions, right_by_episode
from fsar.files import write_parquet
from fsar.methods import METHODS, MODELS
from fsar.methods.clip_fsar.decision import combined_logits, text_logits
from fsar.methods.head import Head, TrainingEpisode, build_head
from fsar.methods.needs import Inputs, TransformerSizes
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_clip
from fsar.statistics.intervals import holm, interval_of_clusters, mean_and_interval
from tests.helpers.small_models import small_adapters, small_head

VIDEOS, CLASSES, WIDTH = 40, 8, 32
SIZES = Inputs(WIDTH, 8)


def episodes_of(shot, queries=2, way=5, count=30, classes=CLASSES):
    """Random episodes over videos v0, v1 …, five to each of the classes c0, c1 …"""
    rng, names = np.random.default_rng(shot), [f"c{i}" for i in range(classes)]
    ids = [f"v{i}" for i in range(5 * classes)]
    classes = np.stack([rng.permutation(len(names))[:way] for _ in range(count)])
    videos = np.stack([[c * 5 + rng.permutation(5)[: shot + queries] for c in row] for row in classes])
    return StoredEpisodes(ids, names, classes, videos[..., :shot], videos[..., shot:])


TRANSFORMER = TransformerSizes(depth=3, width=16, heads=2, patches=4)


def a_head(components, merge):
    """A head with random weights, small, for what `given` returns."""
    settings = small_head(components, **({"merge": merge} if components.head == "clip_fsar" else {}))
    width = WIDTH // 4 if components.needs == "maps" else WIDTH
    return build_head(components, Inputs(width, 8, transformer=TRANSFORMER), settings)


def given(needs, frames):
    """What a backbone gives of videos whose frame features are (V, T, D)."""
    if needs.kind == "tokens":
        width = WIDTH if needs.projected else TRANSFORMER.width
        shape = (len(frames), 8, len(needs.layers), 1 + TRANSFORMER.patches, width)
        return {"tokens": torch.randn(shape, generator=torch.Generator().manual_seed(1)), "frames": frames}
    return {needs.kind: frames.unflatten(-1, (-1, 2, 2)) if needs.kind == "maps" else frames}


def one_by_one(head, stored, support, queries, text, inductive):
    """The logits of one episode, (N, K) and (Q,) rows of what is kept, (Q, N): each query alone, or all at once."""
    asked = queries.split(1) if inductive and not head.queries_apart and not head.queries_together else [queries]
    found = []
    for own in asked:
        rows = torch.cat([support.flatten(), own])
        kept = {name: each[rows] for name, each in stored.items()}
        episode = TrainingEpisode(len(support), support.shape[1], kept, torch.arange(len(support)), text)
        found.append(head.decide(head.episode_stage(*head.staged(episode)))[0])
    return torch.cat(found)


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(VIDEOS, 8, WIDTH, generator=generator), torch.randn(CLASSES, WIDTH, generator=generator)


# Every method with one shot and with three; CLIP-FSAR's head also merges them after its transformer.
CASES = [(method, shot, "before") for method in METHODS for shot in (1, 3)]
CASES += [(name, 3, "after") for name, method in METHODS.items() if method.components.head == "clip_fsar"]


@pytest.mark.parametrize(("method", "shot", "merge"), CASES)
def test_batched_prediction_equals_one_episode_at_a_time(features, method, shot, merge):
    frames, text = features
    torch.manual_seed(0)
    # rows in another order than the episodes count them
    videos, classes = torch.randperm(VIDEOS), torch.randperm(CLASSES)
    decides_by, inductive = METHODS[method].decides_by, METHODS[method].inductive
    components = METHODS[method].components
    if components.each_text:
        text = torch.randn(CLASSES, 3, WIDTH)
    head = a_head(components, merge).eval()
    with torch.inference_mode():
        stored = head.store({name: each[videos] for name, each in given(head.needs, frames).items()})
    episodes = episodes_of(0 if decides_by == "text" else shot, queries=1 if head.queries_together else 2)
    rows = {f"v{int(v)}": row for row, v in enumerate(videos)}, {f"c{int(c)}": r for r, c in enumerate(classes)}
    found = list(
        episode_logits(
            head, episodes, Features(rows[0], stored, rows[1], text[classes]), decides_by, inductive=inductive
        )
    )
    place = videos.argsort()  # of each video among the rows
    predicted = torch.cat(found).argmax(dim=-1)
    assert predicted.shape == (len(episodes.queries), episodes.queries[0].size)
    for number in range(len(predicted)):
        queries = place[torch.from_numpy(episodes.queries[number].ravel())]
        names = text[episodes.classes[number]]
        with torch.inference_mode():
            if decides_by != "few-shot":
                logits = by_text = text_logits(stored["frames"][queries], names, head.text_scale())
            if decides_by != "text":
                support = place[torch.from_numpy(episodes.support[number])]
                logits = one_by_one(head, stored, support, queries, names, inductive)
            if decides_by == "both":
                logits = combined_logits(logits, by_text, head.settings.text_weight, 8)
        np.testing.assert_array_equal(predicted[number].numpy(), logits.argmax(dim=1).numpy())


MANY = 24
# One method of each head; those whose queries are tested together are none of them.
HEADS = {parts.head: name for name in list(METHODS)[::-1] if not (parts := METHODS[name].components).across_videos}


@pytest.mark.parametrize("method", HEADS.values(), ids=HEADS)
def test_an_episode_of_many_classes_is_asked_in_parts(method):
    """With two shots: by its batches, which are single episodes of some heads, and parts of one of these."""
    method, generator = METHODS[method], torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    head = a_head(method.components, "before").eval()
    each = VIDEOS // CLASSES
    frames = torch.randn(MANY * each, 8, WIDTH, generator=generator)
    shape = (MANY, 3, WIDTH) if method.components.each_text else (MANY, WIDTH)
    text = torch.randn(shape, generator=generator)
    with torch.inference_mode():
        stored = head.store(given(head.needs, frames))
    episodes = episodes_of(2, queries=1, way=MANY, count=2, classes=MANY)
    assert head.at_once(5) == head.episodes_at_once and head.at_once(MANY) * MANY**2 <= max(
        MANY**2, 25 * head.episodes_at_once
    )
    rows = [{f"{kind}{n}": n for n in range(count)} for kind, count in (("v", MANY * each), ("c", MANY))]
    found = torch.cat(list(episode_logits(head, episodes, Features(rows[0], stored, rows[1], text))))
    assert found.shape == (2, MANY, MANY)
    for number in range(2):
        support, queries = (torch.from_numpy(own[number]) for own in (episodes.support, episodes.queries))
        with torch.inference_mode():
            names = text[torch.from_numpy(episodes.classes[number])]
            expected = one_by_one(head, stored, support, queries.flatten(), names, method.inductive)
        torch.testing.assert_close(found[number], expected, atol=1e-3, rtol=1e-4)


class Balanced(Head):
    """Lets queries see one another: every class is given the same weight over the queries of an episode."""

    queries_apart = False

    def episode_stage(self, support, queries, text):
        scores = torch.einsum("bqtd,bnktd->bqn", queries["frames"], support["frames"])
        return {"few_shot": scores - scores.mean(dim=1, keepdim=True)}


def test_queries_that_would_see_one_another_are_asked_alone(features):
    frames, text = features
    episodes, head = episodes_of(1), Balanced(Inputs(WIDTH, 8), MODELS["otam"].settings)
    rows = {f"v{v}": v for v in range(VIDEOS)}, {"frames": frames}, {f"c{c}": c for c in range(CLASSES)}, text
    together = torch.cat(list(episode_logits(head, episodes, Features(*rows), inductive=False)))
    alone = torch.cat(list(episode_logits(head, episodes, Features(*rows))))
    assert together.shape == alone.shape and together.abs().max() > 1
    assert (alone == 0).all()  # a query is its own mean


def test_correct_counts_the_diagonal():
    predicted = np.array([[[0, 1], [1, 1]], [[1, 1], [0, 0]]])
    assert correct(predicted).tolist() == [[[True, False], [True, True]], [[False, False], [False, False]]]


def store_episodes(episodes, path, unknown=None):
    """Write episodes of one support video and one query of each class as the workflow stores them.

    `unknown` are the same with unknown queries.
    """
    rows = [
        (e, n, role, f"c{episodes.classes[e, n]}", f"v{videos[e, n, 0]}")
        for e in range(len(episodes.queries))
        for n in range(episodes.queries.shape[1])
        for role, videos in (("support", episodes.support), ("query", episodes.queries))
    ]
    if unknown is not None:
        drawn = zip(unknown.unknown_classes, unknown.unknown, strict=True)
        rows += [(e, -1, "unknown", f"c{c}", f"v{v}") for e, own in enumerate(drawn) for c, v in zip(*own, strict=True)]
    write_parquet(path, pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)


def test_a_model_from_files_to_accuracies(features, tmp_path):
    frames, text = features
    episodes = episodes_of(1, queries=1)
    store_episodes(episodes, tmp_path / "episodes.parquet")
    names = [f"v{i}" for i in range(VIDEOS)], [f"c{i}" for i in range(CLASSES)]
    write_features(tmp_path / "features.safetensors", names[0], {"frames": frames}, names[1], text, Inputs(WIDTH, 8))
    head = load_head(MODELS["frozen"], MODELS["frozen"].settings, tmp_path / "features.safetensors", None)
    tests = [PlannedTest(m, "few-shot", 5, 1, tmp_path / "episodes.parquet") for m in ("clip-freeze", "again")]
    evaluate_model(head, tests, tmp_path / "features.safetensors", tmp_path / "out.parquet", "cpu", 1)

    table = read_predictions(tmp_path / "out.parquet", "clip-freeze", 5, 1)
    assert len(table) == 150 and list(table["label"][:5]) == [0, 1, 2, 3, 4]
    assert list(table["class_name"][:5]) == [f"c{c}" for c in episodes.classes[0]]
    assert list(table["video_id"][:5]) == [f"v{v}" for v in episodes.queries[0, :, 0]]
    expected = correct(predict(head, episodes, read_features(tmp_path / "features.safetensors")))
    np.testing.assert_allclose(right_by_episode(table), expected.mean(axis=(1, 2)))
    logits = np.stack(table["logits"])
    assert logits.shape == (150, 5) and (logits.argmax(axis=1) == table["predicted"]).all()
    with pytest.raises(UserError, match="no test of otam, 5-way 1-shot"):
        read_predictions(tmp_path / "out.parquet", "otam", 5, 1)


def test_names_of_any_kind_survive_in_feature_files(tmp_path):
    names = ['a "b".mp4', "line\nbreak", "größe 動画"]
    write_features(
        tmp_path / "f.safetensors",
        names,
        {"frames": torch.randn(3, 8, 4)},
        names,
        torch.randn(3, 4),
        SIZES,
    )
    videos, _, classes, _ = read_features(tmp_path / "f.safetensors")
    assert list(videos) == names == list(classes)


def test_the_interval_is_that_of_the_t_test():
    """Those means that a t-test of the same values does not reject at 5 %."""
    rng = np.random.default_rng(0)
    for count in (2, 25, 1000):
        values = rng.normal(3.0, 2.0, count)
        mean, half = mean_and_interval(values)
        assert mean == pytest.approx(values.mean())
        for end in (mean - half, mean + half):
            assert stats.ttest_1samp(values, end).pvalue == pytest.approx(0.05)


def test_queries_of_one_video_count_once():
    """Each of 200 videos is asked 20 times, and always with the same answer: as sure as 200 answers, not 4,000."""
    right = np.random.default_rng(0).random(200) < 0.6
    expected = stats.binomtest(int(right.sum()), 200).proportion_ci(method="wilson")
    assert interval_of_clusters(np.full(200, 20), 20 * right) == pytest.approx((expected.low, expected.high))
    low, high = interval_of_clusters(np.full(10, 20), np.full(10, 20))  # all right
    assert low == pytest.approx(stats.binomtest(10, 10).proportion_ci(method="wilson").low)
    assert high == pytest.approx(1)


def test_p_values_are_corrected_for_their_number():
    """By hand: the smallest counts three times, the next twice, and none falls below one before it."""
    assert holm(np.array([0.03, 0.01, 0.025])).tolist() == pytest.approx([0.05, 0.03, 0.05])
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]
    assert holm(np.array([0.01, np.nan])).tolist() == pytest.approx([0.02, np.nan], nan_ok=True)


def test_equal_features_are_equal_bytes(tmp_path):
    """safetensors writes several entries of metadata in an order that is another one each time."""
    paths = [tmp_path / str(number) for number in range(12)]
    for path in paths:
        write_features(path, ["b", "a"], {"frames": torch.ones(2, 8, 4)}, ["y", "x"], torch.ones(2, 4), SIZES)
    assert len({path.read_bytes() for path in paths}) == 1


class Frames:
    """A frame store whose videos' frames have their number as every byte."""

    size = 8

    def numbers(self, video_ids):
        return np.array([int(name[1:]) for name in video_ids])

    def video_id(self, number):
        return f"v{number}"

    def length(self, number):
        return 20

    def fps(self, number):
        return 10.0

    def read(self, number, positions, top, left, clip):
        clip[:] = number


@pytest.mark.parametrize("count", [BATCH, 2 * BATCH, 2 * BATCH + 5, 3])
def test_features_of_many_videos_are_each_of_its_own(count):
    """More than one batch, and a last one that is not full: every row is its video's, in whatever order."""
    order = np.random.default_rng(count).permutation(count)
    clips = load_clips(Frames(), [f"v{n}" for n in order], SamplingConfig(), 8, 0, torch.device("cpu"))
    calls = []

    def encode(videos):
        calls.append(len(videos))
        return {"frames": videos.float().mean(dim=(2, 3, 4)), "sum": videos.float().sum(dim=(1, 2, 3, 4)) + 1}

    kept = encode_videos(encode, clips, torch.device("cpu"))
    numbers = torch.from_numpy(order).float()
    assert calls == [BATCH] * (count // BATCH) + ([count % BATCH] if count % BATCH else [])
    torch.testing.assert_close(kept["frames"], numbers.unsqueeze(1).expand(-1, 8).contiguous())
    torch.testing.assert_close(kept["sum"], numbers * 8 * 8 * 8 * 3 + 1)


@pytest.mark.parametrize("count", [BATCHED, 2 * BATCHED + 3])
def test_stages_of_many_videos_are_each_of_its_own(count):
    """More videos than go through a stage in one call, and a second tensor beside them."""
    first, second = torch.arange(2.0 * count).view(count, 2), torch.arange(3.0 * count).view(count, 3)
    found = _video_by_video(
        lambda stored, other: {"a": stored["x"] * 2, "b": other + 1, "x": stored["x"]}, {"x": first}, second
    )
    assert found.pop("x") is first  # as it was given: not copied
    assert torch.equal(found["a"], first * 2) and torch.equal(found["b"], second + 1)


def test_tests_of_several_ways_shots_and_methods_are_read_apart(features, tmp_path):
    """One file, whose tests differ in one thing each: none has the rows of another."""
    frames, text = features
    head = a_head(METHODS["otam"].components, "before").eval()
    kept = Features({f"v{i}": i for i in range(VIDEOS)}, {"frames": frames}, {f"c{i}": i for i in range(CLASSES)}, text)
    tests = []
    for method, way, shot, count in (("otam", 5, 1, 7), ("otam", 3, 1, 9), ("otam", 5, 2, 4), ("bi-mhm", 5, 1, 6)):
        path = tmp_path / f"{method}-{way}-{shot}.parquet"
        write_episodes(path, episodes_of(shot, way=way, count=count))
        tests.append(PlannedTest(method, "few-shot", way, shot, path))
    write_predictions(head, tests, kept, tmp_path / "all.parquet")
    for test, count in zip(tests, (7, 9, 4, 6), strict=True):
        write_predictions(head, [test], kept, tmp_path / "own.parquet")
        found = read_predictions(tmp_path / "all.parquet", test.method, test.way, test.shot)
        own = read_predictions(tmp_path / "own.parquet", test.method, test.way, test.shot)
        assert len(found) == count * test.way * 2 and found["episode"].nunique() == count
        assert set(found["way"]) == {test.way} and set(found["shot"]) == {test.shot}
        assert set(found["method"]) == {test.method} and set(found["label"]) == set(range(test.way))
        np.testing.assert_array_equal(np.stack(found["logits"]), np.stack(own["logits"]))
        assert right_by_episode(found).shape == (count,)
        episodes = StoredEpisodes.read(test.episodes)
        rows = [
            (e, n, episodes.class_names[episodes.classes[e, n]], episodes.video_ids[query])
            for e in range(count)
            for n in range(test.way)
            for query in episodes.queries[e, n]
        ]
        columns = ["episode", "label", "class_name", "video_id"]
        assert list(found[columns].astype(object).itertuples(index=False, name=None)) == rows


def write_episodes(path, episodes):
    count, way, shot = episodes.support.shape
    each = np.concatenate([episodes.support, episodes.queries], axis=2)
    roles = ["support"] * shot + ["query"] * episodes.queries.shape[2]
    rows = [
        (e, n, role, episodes.class_names[episodes.classes[e, n]], episodes.video_ids[video])
        for e in range(count)
        for n in range(way)
        for role, video in zip(roles, each[e, n], strict=True)
    ]
    write_parquet(path, pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)


@pytest.mark.parametrize("model", ["task-adapter", "task-adapter-published"])
def test_where_videos_look_at_one_another_inductive_tests_do_not(model):
    """Each query's logits, whatever the other queries are, where it is asked alone; together they change."""
    parts = MODELS[model]
    torch.manual_seed(3)
    backbone = Backbone(random_clip("small-vit-clip"), 128, 32, (0.5,) * 3, (0.2,) * 3, None, "small").eval()
    few_shot = FewShotModel(backbone, parts, small_head(parts), 3, adapters=small_adapters(parts)).eval()
    for parameter in backbone.adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    size = backbone.image_size = backbone.visual.image_size[0]
    videos = torch.randint(0, 256, (9, 3, size, size, 3), generator=torch.Generator().manual_seed(1)).byte()
    stored, rows = few_shot.encode(videos), {f"v{i}": i for i in range(9)}
    text = torch.randn(3, 3, backbone.width, generator=torch.Generator().manual_seed(2))

    def logits(queries, inductive):
        episodes = StoredEpisodes(
            list(rows), ["a", "b", "c"], np.arange(3)[None], np.array([[[0], [1], [2]]]), np.array([queries])
        )
        found = episode_logits(
            few_shot.tested_head(),
            episodes,
            Features(rows, stored, {"a": 0, "b": 1, "c": 2}, text),
            inductive=inductive,
        )
        return torch.cat(list(found))[0]

    first, other = [[3], [4], [5]], [[3], [7], [8]]
    change = (logits(first, False) - logits(other, False))[0].abs().max()
    assert change > 1e-3
    if parts.fixed:  # gives the text of class i to query i: it can be asked together alone
        return
    torch.testing.assert_close(logits(first, True)[0], logits(other, True)[0])
    assert (logits(first, True) - logits(first, False)).abs().max() > 1e-3
