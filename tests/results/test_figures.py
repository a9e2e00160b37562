"""Figures: their data, and that each is drawn from it."""

from dataclasses import replace
from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fsar.config import load
from fsar.episodes.stored import StoredEpisodes
from fsar.files import write_parquet
from fsar.plan.figures import planned_figures
from fsar.plan.layouts import PAPER_BENCHMARKS
from fsar.plan.plan import Plan
from fsar.plan.rows import rows
from fsar.results.accuracies import Measured
from fsar.results.figures import (
    accuracy,
    class_gain,
    confusion,
    cost,
    curves,
    episode,
    mean_ranks,
    published_bars,
    ranked_rows,
    ranking,
    sweep,
)
from fsar.results.figures.drawing import draw
from fsar.results.figures.episode import hard_alignment
from fsar.training.metrics import METRICS_SCHEMA
from tests.results.test_results import predictions, setting


@pytest.fixture
def settings_of(tmp_path):
    """Settings with predictions behind them: the more shots and the later the method, the more is right."""

    def make(methods=("otam", "clip-fsar"), ways=(5,), shots=(1, 5), **changes):
        rows = []
        for number, (method, way, shot) in enumerate(product(methods, ways, shots)):
            right = np.random.default_rng(number).integers(1 + (shot > 1) + methods.index(method), 6, 40).clip(0, 5)
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
            files = [predictions(path, right, method=method, way=way, shot=shot)]
            rows.append(setting(files, method=method, title=method.upper(), way=way, shot=shot, **changes))
        return rows

    return make


def drawn(kind, data, tmp_path):
    data.to_parquet(tmp_path / "data.parquet", index=False)
    outputs = [tmp_path / f"{kind}.{suffix}" for suffix in ("pdf", "svg", "png")]
    draw(kind, tmp_path / "data.parquet", outputs)
    first = [path.read_bytes() for path in outputs]
    draw(kind, tmp_path / "data.parquet", outputs)
    assert first == [path.read_bytes() for path in outputs]  # the same data gives the same bytes
    assert b"/Type3" not in first[0] and first[2].startswith(b"\x89PNG")
    return first[1].decode()


def text_of(kind, data, tmp_path):
    data.to_parquet(tmp_path / "data.parquet", index=False)
    draw(kind, tmp_path / "data.parquet", [tmp_path / f"{kind}.svg"])
    return (tmp_path / f"{kind}.svg").read_text()


def test_accuracy_over_shots(settings_of, tmp_path):
    rows = settings_of()
    data = accuracy.collect(rows)
    assert (
        data["accuracy"].tolist() == [Measured.read(row).episodes.mean() for row in rows]
        and (data["over_videos"] > 0).all()
    )
    text = drawn("accuracy", data, tmp_path)
    assert all(word in text for word in ("OTAM", "CLIP-FSAR", "chance", "shots", "accuracy (%)", "hmdb51, RN50, 5-way"))


def test_sweeps_take_what_differs_in_one_number(settings_of, tmp_path):
    over_ways = sweep.collect(settings_of(ways=(5, 7)), "way")
    assert sorted(set(over_ways["way"])) == [5, 7] and set(over_ways["shot"]) == {1}
    assert "ways" in drawn("sweep", over_ways, tmp_path)
    every = [replace(row, every_class=row.way == 7) for row in settings_of(ways=(5, 7))]
    axis = sweep.draw(sweep.collect(every, "way")).axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["5", "7\nall"]
    rows = settings_of() + settings_of(frames=4, benchmark="hmdb51-4") + settings_of(depth=2, benchmark="hmdb51-deep")
    over_frames, over_depth = sweep.collect(rows, "frames"), sweep.collect(rows, "depth")
    assert sorted(set(over_frames["benchmark"])) == ["hmdb51", "hmdb51-4"]
    assert sorted(set(over_depth["benchmark"])) == ["hmdb51", "hmdb51-deep"]
    assert "frames per video" in drawn("sweep", over_frames, tmp_path)


def test_published_bars_with_what_was_measured(settings_of, tmp_path):
    rows = settings_of(methods=("clip-fsar",), shots=(1,))
    data = published_bars.collect(rows, PAPER_BENCHMARKS)
    measured = data.query("figures == 'measured'")
    assert measured["bar"].tolist() == ["CLIP-FSAR, CLIP RN50"] and measured["benchmark"].tolist() == ["hmdb51"]
    assert data.query("figures == 'published' and benchmark == 'hmdb51'")["accuracy"].tolist() == [
        63.0,
        69.2,
        75.8,
        54.5,
    ]
    assert "measured here" in drawn("published_bars", data, tmp_path)
    assert "measured" not in drawn("published_bars", published_bars.collect([], PAPER_BENCHMARKS), tmp_path)
    assert not data["quoted"].any() and "second-hand" not in drawn("published_bars", data, tmp_path)
    marked = drawn("published_bars", data.assign(quoted=data["accuracy"] == 69.2), tmp_path)
    assert "69.2 ‡" in marked and "‡ quoted second-hand" in marked


def test_a_ranking_shows_what_is_published_and_what_is_not_told_apart(settings_of, tmp_path):
    worse, *_, better = settings_of(methods=("otam", "trx", "strm", "clip-fsar"), shots=(1,))
    same = replace(better, title="AS GOOD", inductive=False, published_method="")
    second_hand = replace(worse, published_method="TEAM", published_backbone="INet-RN50")
    data = ranking.collect([second_hand, better, same])
    assert data["method"].tolist() == ["CLIP-FSAR", "AS GOOD", "OTAM"] and data["inductive"].tolist() == [1, 0, 1]
    accuracies = [Measured.read(row).episodes.mean() for row in (better, better, worse)]
    assert data["accuracy"].tolist() == accuracies and data["trainings"].map(list).tolist() == [[a] for a in accuracies]
    assert data["difference"].tolist() == pytest.approx([0, 0, accuracies[2] - accuracies[0]])
    assert data["published"].tolist()[::2] == [69.2, 62.8] and np.isnan(data["published"][1])
    assert data["quoted"].tolist() == [False, False, True]
    assert data["apart"].tolist() == [False, False, True] and data["groups"].tolist() == [[0], [0], []]
    text = text_of("ranking", data, tmp_path)
    assert all(
        word in text for word in ("AS GOOD §", "queries see one another", "published", "‡ quoted", "not told apart")
    )
    assert "hmdb51, RN50, 5-way 1-shot" in text and "each training" not in text


def test_mean_ranks_are_of_every_benchmark(settings_of, tmp_path):
    rows = [
        row for benchmark in ("hmdb51", "ucf101", "ssv2_full") for row in settings_of(shots=(1,), benchmark=benchmark)
    ]
    rows += [replace(row, backbone="ViT", predictions=rows[0].predictions) for row in rows[::2]]
    data = mean_ranks.collect(rows)
    assert data[["method", "backbone"]].to_numpy().tolist() == [
        ["CLIP-FSAR", "RN50"],
        ["OTAM", "RN50"],
        ["OTAM", "ViT"],
    ]
    assert data["mean_rank"].tolist() == [1, 2.5, 2.5] and data["ranks"].map(list).tolist()[1] == [2.5, 2.5, 2.5]
    assert data["groups"].tolist() == [[0], [0], [0]]  # less than 1.913 apart
    text = text_of("mean_ranks", data, tmp_path)
    assert "3 benchmarks, 5-way 1-shot" in text and "OTAM, ViT" in text and "critical difference: 1.9" in text


def test_bars_share_a_column_where_they_do_not_meet():
    rows = pd.DataFrame({"groups": ranked_rows.numbers_of_groups([[0, 1], [1, 4], [2, 3], [5, 6]], 7)})
    assert rows["groups"].tolist() == [[0], [0, 1], [2], [2], [1], [3], [3]]
    assert ranked_rows._columns(rows) == [[[0, 1], [2, 3], [5, 6]], [[1, 4]]]


def test_gain_and_confusion(settings_of, tmp_path):
    rows = settings_of(shots=(1,))
    data = class_gain.collect(rows[::-1])
    better, worse = (Measured.read(row).episodes.mean() for row in rows[::-1])
    assert data["gain"].mean() == pytest.approx(better - worse) and data["gain"].is_monotonic_decreasing
    assert "accuracy of CLIP-FSAR − OTAM" in drawn("class_gain", data, tmp_path)
    assert "taken for" in drawn("confusion", confusion.collect(rows[:1]), tmp_path)


def test_curves_are_smoothed_and_keep_every_validation(tmp_path):
    iterations = np.arange(1, 601)
    table = pd.DataFrame(
        {"iteration": iterations, "loss": 1 / iterations, "train_accuracy": 0.5, "val_accuracy": np.nan}
    )
    table.loc[[199, 399, 599], "val_accuracy"] = [0.3, 0.4, 0.5]
    rest = dict.fromkeys(sorted(set(METRICS_SCHEMA.names) - set(table)), 0.0)
    write_parquet(tmp_path / "metrics.parquet", table.assign(**rest), METRICS_SCHEMA)
    data = curves.collect({"mine, RN50, CLIP-FSAR": str(tmp_path / "metrics.parquet")})
    assert len(data) == curves.POINTS + 3 and data["val_accuracy"].dropna().tolist() == [0.3, 0.4, 0.5]
    assert data["loss"].iloc[0] == pytest.approx((1 / iterations[:10]).mean())
    assert "validation accuracy" in drawn("curves", data, tmp_path)


def test_cost_of_stages(tmp_path):
    for name, seconds in (("train_model/a", 10), ("train_model/b", 20), ("evaluate_model/c", 1)):
        path = tmp_path / "logs" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:10\t{seconds * 10}\n")
    data = cost.collect([str(path) for path in (tmp_path / "logs").rglob("*.tsv")] + ["logs/from/a/cache.tsv"])
    assert data.groupby("stage")["seconds"].sum().to_dict() == {"train_model": 30, "evaluate_model": 1}
    assert "train_model (2)" in drawn("cost", data, tmp_path)


def alignment_cost(distances, path):
    return sum(distances[cell] for cell in path)


@pytest.mark.parametrize("seed", range(20))
def test_the_drawn_alignment_is_the_cheapest(seed):
    """An alignment steps right, or down and right; only beyond the first and the last column does it go down."""
    rng = np.random.default_rng(seed)
    distances = rng.random((4, 4))
    path = hard_alignment(distances)
    costs = []
    for starts in product(range(4), repeat=4):  # the row of each column, if it has one cell per column
        if all(b - a in (0, 1) for a, b in pairwise(starts)):
            costs.append(sum(distances[row, column] for column, row in enumerate(starts)))
    assert path == sorted(path) and alignment_cost(distances, path) <= min(costs) + 1e-9
    assert {column for _, column in path} == {0, 1, 2, 3}


def test_figures_follow_the_config():
    demo = {"source": {"kind": "demo"}, "training": {"workers": 0, "threads": 1}}

    def plan(**run):
        values = {
            "run": {"benchmarks": ["demo"], "backbones": ["small"], **run},
            "benchmarks": dict.fromkeys(("demo", "demo2", "demo3"), demo),
            "backbones": {"small": {"model": "RN50", "weights": "openai"}},
        }
        plan = Plan(load(values))
        return planned_figures(plan, rows(plan))

    five = ["clip-freeze", "otam", "clip-fsar", "bi-mhm", "trx"]
    figures = plan(methods=five)
    assert {"ranking-demo-1shot", "ranking-demo-5shot"} <= set(figures) and "mean-ranks-1shot" not in figures
    assert "fsar/results/published.csv" in figures["ranking-demo-1shot"].inputs
    assert {s.shot for s in figures["ranking-demo-5shot"].arguments["settings"]} == {5}
    assert "over the trainings" not in figures["ranking-demo-1shot"].caption
    assert "over the trainings" in plan(methods=five, seeds=[1, 2])["ranking-demo-1shot"].caption
    deals = ["demo", "demo2", "demo3"]
    assert len(plan(methods=five, benchmarks=deals)["mean-ranks-5shot"].arguments["settings"]) == 15
    figures = plan(methods=["clip-freeze", "otam", "clip-fsar"])
    own = {f"{kind}-demo-small" for kind in ("confusion", "class-gain", "embedding", "episode")}
    assert set(figures) == own | {"accuracy", "curves", "cost"}
    features, weights, manifest = figures["embedding-demo-small"].inputs
    assert features == "results/features/demo/small/clip-fsar/seed1/test.safetensors"
    assert weights == "results/models/demo/small/clip-fsar/shot1-seed1/model.safetensors"
    assert manifest == "data/demo/manifest.parquet"
    assert "benchmarks/train_model/demo-small-otam-shot1-seed1.tsv" in figures["cost"].arguments["logs"]
    assert "over-way" in plan(ways=[5, 6]) and "ablation" in plan(methods=["otam", "otam-video-text", "clip-fsar"])
    assert "curves" not in plan(methods=["clip-freeze"]) and "embedding-demo-small" not in plan(methods=["otam"])
    assert "episode-demo-small" not in plan(methods=["clip-fsar"], shots=[5])


def test_an_episode_is_drawn_with_the_query_that_was_asked(monkeypatch):
    """Of several queries of a class, or of those drawn in all, the first need not be the one that went wrong."""
    stored = StoredEpisodes(
        list("abcdef"), ["x", "y"], *(np.array([own]) for own in ([0, 1], [[0], [1]], [[2, 3], [4, 5]]))
    )
    said = {"episode": 0, "label": [0, 0, 1], "predicted": [1, 0, 1], "video_id": list("def")}
    seen = []
    for name, stub in {
        "predictions_made_from": lambda _: {},
        "read_predictions": lambda *_: pd.DataFrame(said),
        "views_of": lambda _: 1,
        "FrameStore": lambda *_: None,
        "_Strips": lambda *_: SimpleNamespace(of=lambda video: video.encode()),
        "_Comparison": lambda *_: SimpleNamespace(
            frames=np.zeros((6, 2, 1)), distances=lambda query, *_: seen.append(query) or np.zeros((2, 2))
        ),
    }.items():
        monkeypatch.setattr(episode, name, stub)
    monkeypatch.setattr(episode.StoredEpisodes, "read", lambda _: stored)
    files = dict.fromkeys(("features", "trained", "episodes", "predictions", "index"), "file")
    settings = {"components": {}, "head": {}, "sampling": {}, "seed": 0, "method": "otam", "way": 2, "title": "OTAM"}
    found = episode.collect(**files, **settings)
    assert seen == list("eedd") and list(found["outcome"]) == ["right"] * 2 + ["wrong"] * 2
