"""Unknown queries in tests: closed-set results stay as they are, every method gives every score, files hold both."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from fsar.evaluation.episode_logits import episode_answers
from fsar.evaluation.evaluate import PlannedTest, gather_predictions, write_predictions
from fsar.evaluation.kept_features import Features
from fsar.evaluation.known_scores import MEANING, known_scores
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA, WITH_UNKNOWN_SCHEMA, read_predictions
from fsar.methods import METHODS
from tests.evaluation.test_evaluation import CLASSES, VIDEOS, WIDTH, a_head, episodes_of, given, store_episodes

UNKNOWN = 2


def with_unknown(episodes, unknown=UNKNOWN):
    """The same episodes with queries of the other classes, no video twice."""
    others = np.stack([np.setdiff1d(np.arange(CLASSES), own)[np.arange(unknown) % 3] for own in episodes.classes])
    videos = others * 5 + np.arange(unknown) // 3
    return replace(episodes, unknown=videos, unknown_classes=others)


def features_of(head, components):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(VIDEOS, 8, WIDTH, generator=generator)
    texts = (CLASSES, 3, WIDTH) if components.each_text else (CLASSES, WIDTH)
    text = torch.randn(texts, generator=generator)
    with torch.inference_mode():
        stored = head.store(given(head.needs, frames))
    return Features({f"v{v}": v for v in range(VIDEOS)}, stored, {f"c{c}": c for c in range(CLASSES)}, text)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_asked_unknown_queries_and_answers_known_ones_as_before(name):
    method = METHODS[name]
    torch.manual_seed(0)
    head = a_head(method.components, "before").eval()
    features = features_of(head, method.components)
    closed = episodes_of(0 if method.decides_by == "text" else 2, queries=1 if head.queries_together else 2, count=4)
    opened = with_unknown(closed)

    def answers(episodes):
        found = episode_answers(head, episodes, features, method.decides_by, method.inductive)
        return [torch.cat(parts) if parts[0] is not None else None for parts in zip(*found, strict=True)]

    before, now = answers(closed), answers(opened)
    known = closed.queries[0].size
    assert now[0].shape == (4, known + UNKNOWN, 5)
    for old, new in zip(before, now, strict=True):
        assert (old is None) == (new is None) and (old is None or torch.equal(new[:, :known], old))

    # An unknown query is answered as if it were asked as a query of the first class.
    if method.inductive and not head.queries_together:
        asked = np.concatenate([opened.unknown[:, None, :], closed.queries[:, 1:, :UNKNOWN]], axis=1)
        swapped = answers(replace(closed, queries=asked))
        torch.testing.assert_close(now[0][:, known:], swapped[0][:, :UNKNOWN], rtol=1e-3, atol=1e-3)

    nearness = now[1].amax(-1) if now[1] is not None and head.settings.prototypes else now[0][..., 0] * torch.nan
    text = now[2].amax(-1) if now[2] is not None else now[0][..., 0] * torch.nan
    learnt = now[3] if now[3] is not None else now[0][..., 0] * torch.nan
    further = {"nearness": nearness.ravel().numpy(), "text": text.ravel().numpy(), "known": learnt.ravel().numpy()}
    scores = known_scores(now[0].flatten(0, 1).numpy(), further)
    expected = {"probability", "logit", "margin", "entropy"}
    expected |= {"nearness"} if method.decides_by != "text" and head.settings.prototypes else set()
    expected |= {"text"} if method.decides_by != "few-shot" else set()
    assert set(scores) - {"learnt"} == expected and set(scores) <= set(MEANING)
    assert all(np.isfinite(own).all() and own.shape == (4 * (known + UNKNOWN),) for own in scores.values())


def test_scores_are_larger_where_one_class_stands_out():
    logits = np.array([[5.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    nothing = np.full(3, np.nan)
    scores = known_scores(logits, {"nearness": nothing, "text": nothing, "known": nothing})
    assert list(scores) == ["probability", "logit", "margin", "entropy"]
    assert all((np.diff(own) < 0).all() for own in scores.values())
    assert scores["probability"][2] == pytest.approx(1 / 3) and scores["entropy"][2] == pytest.approx(-np.log(3))
    assert scores["margin"].tolist() == [5, 0.5, 0] and scores["logit"].tolist() == [5, 1, 0]


@pytest.fixture
def files(tmp_path):
    """The same closed-set episodes without and with unknown queries, as files; and the planned tests with these."""
    closed = episodes_of(1, queries=1, count=7)
    opened = with_unknown(closed)
    store_episodes(closed, tmp_path / "closed.parquet")
    store_episodes(closed, tmp_path / "opened.parquet", opened)
    names = ("clip-freeze", "clip-fsar-text", "linear-probe")
    tests = {
        kind: [
            PlannedTest(name, METHODS[name].decides_by, 5, 1, tmp_path / f"{kind}.parquet", METHODS[name].inductive)
            for name in names
        ]
        for kind in ("closed", "opened")
    }
    return tmp_path, opened, tests


def test_predictions_hold_unknown_queries_and_are_read_without_them(files):
    folder, episodes, tests = files
    for test in range(3):
        name = tests["closed"][test].method
        torch.manual_seed(0)
        head = a_head(METHODS[name].components, "before").eval()
        features = features_of(head, METHODS[name].components)
        for kind in ("closed", "opened"):
            write_predictions(head, tests[kind][test : test + 1], features, folder / f"{kind}-out.parquet")
        closed, opened = (read_predictions(folder / f"{kind}-out.parquet", name, 5, 1) for kind in ("closed", "opened"))
        pd.testing.assert_frame_equal(
            opened[closed.columns].astype({"class_name": str, "video_id": str}),
            closed.astype({"class_name": str, "video_id": str}),
        )
        whole = read_predictions(folder / "opened-out.parquet", name, 5, 1, unknown=True)
        assert whole["label"].tolist() == [0, 1, 2, 3, 4, -1, -1] * 7
        unknown = whole[whole["label"] == -1]
        assert unknown["video_id"].tolist() == [f"v{v}" for v in episodes.unknown.ravel()]
        assert unknown["class_name"].tolist() == [f"c{c}" for c in episodes.unknown_classes.ravel()]
        assert whole["text"].notna().all() == (name == "clip-fsar-text")
        assert whole["nearness"].notna().all() == (name != "linear-probe") and whole["known"].isna().all()
    assert pq.read_schema(folder / "closed-out.parquet").equals(PREDICTIONS_SCHEMA)
    assert pq.read_schema(folder / "opened-out.parquet").equals(WITH_UNKNOWN_SCHEMA)


def test_parts_of_tests_with_unknown_queries_are_joined(files):
    folder, _, tests = files
    head = a_head(METHODS["clip-freeze"].components, "before").eval()
    head.episodes_at_once = 2
    features, own = features_of(head, METHODS["clip-freeze"].components), tests["opened"][:1]
    parts = [folder / f"{number}.parquet" for number in range(2)]
    for number, part in enumerate(parts):
        write_predictions(head, own, features, part, (number, 2))
    gather_predictions(parts, own, folder / "joined.parquet")
    write_predictions(head, own, features, folder / "whole.parquet")
    joined, whole = (
        read_predictions(folder / f"{n}.parquet", "clip-freeze", 5, 1, unknown=True) for n in ("joined", "whole")
    )
    pd.testing.assert_frame_equal(joined, whole, check_categorical=False)
