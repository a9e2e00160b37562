"""Figures of every size: few and many classes, short and long names, one method and twelve."""

import io
import warnings
from importlib import import_module
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image

from fsar.methods import METHODS
from fsar.plan.layouts import PAPER_BENCHMARKS
from fsar.predict.timeline import Curve, Stretch
from fsar.predict.timeline_figure import timeline_figure
from fsar.results.figures import labels, style
from fsar.results.figures.drawing import draw
from fsar.results.figures.published_bars import BARS
from fsar.results.figures.summary import summarise
from tests.results.test_results import predictions, setting

# As Something-Something has them; cut or repeated to the length asked for.
NAMES = (
    "Putting [something that cannot actually stand upright] upright on the table, so it falls on its side",
    "Lifting a surface with [something] on it until it starts sliding down",
    "Lifting a surface with [something] on it but not enough for it to slide down",
    "Failing to put [something] into [something] because [something] does not fit",
)


def class_names(count, length):
    """Names that differ in their last characters alone, so that a shorter form must keep them apart."""
    return [f"{(NAMES[n % len(NAMES)] * 2)[: length - 4]} {n:03d}" for n in range(count)]


def longest_titles(methods):
    return sorted((method.title for method in METHODS.values()), key=len)[-methods:]


def summary(methods, shots=(0, 1, 2, 3, 5), ways=(5,), frames=(8,), depths=(1,), benchmarks=("ssv2_full",)):
    titles = longest_titles(methods)
    keys = list(product(benchmarks, ("RN50", "ViT-B-16"), titles, ways, shots, frames, depths))
    table = pd.DataFrame(keys, columns=["benchmark", "backbone", "method", "way", "shot", "frames", "depth"])
    table = table[table["method"].str.contains("zero-shot") == (table["shot"] == 0)]
    chance = np.random.default_rng(0)
    table = table.assign(ways=table["way"].astype(str) + "-way", every_class=table["way"] == max(ways))
    return table.assign(base=table["benchmark"], accuracy=chance.uniform(5, 99, len(table)), over_videos=1.5)


def accuracy(classes, length, methods):
    return summary(methods, benchmarks=("ssv2_full", "kinetics100-with-a-long-name") if methods > 1 else ("demo",))


def ablation(classes, length, methods):
    return accuracy(classes, length, methods).query("shot > 0")


def sweep(classes, length, methods):
    long = methods > 1
    return summary(methods, shots=(1,), ways=tuple(range(5, 21)) if long else (5, 20)).assign(over="way")


def frames(classes, length, methods):
    return summary(methods, shots=(1,), frames=(1, 2, 4, 8, 16, 32)).assign(over="frames")


def class_gain(classes, length, methods):
    gain = np.linspace(60, -40, classes)
    named = {
        "benchmark": "ssv2_full",
        "backbone": "ViT-B-16",
        "test": "all 101 classes, 1-shot",
        "method": "CLIP-FSAR",
        "baseline": "CLIP-Freeze",
    }
    return pd.DataFrame({"class_name": class_names(classes, length), "gain": gain}).assign(**named)


def confusion(classes, length, methods):
    names = class_names(classes, length)
    rows = pd.DataFrame(list(product(names, names)), columns=["class_name", "predicted_name"])
    named = {
        "benchmark": "ssv2_full",
        "backbone": "ViT-B-16",
        "test": "all 101 classes, 1-shot",
        "method": "CLIP-FSAR (OTAM, one direction)",
    }
    return rows.assign(rate=np.random.default_rng(0).uniform(0, 100, len(rows)), **named)


def cost(classes, length, methods):
    stages = ["decode_frames", "train_model", "encode_features", "evaluate_model", "compare_methods_by_class"]
    stages = [f"{stage}_{n}" if n else stage for n in range(4 if methods > 1 else 1) for stage in stages]
    rows = [
        (stage, str(job), 3e6 / (n + 1) ** 5, 64000 / (n + 1)) for n, stage in enumerate(stages) for job in range(5)
    ]
    return pd.DataFrame(rows, columns=["stage", "job", "seconds", "memory_mb"])


def curves(classes, length, methods):
    titles = longest_titles(methods)
    steps = np.arange(1, 5001, 500)
    parts = [
        pd.DataFrame({"iteration": steps, "loss": 200 / steps, "train_accuracy": 0.5, "val_accuracy": 0.4}).assign(
            model=f"kinetics100-with-a-long-name, ViT-B-16, {title}"
        )
        for title in titles
    ]
    return pd.concat(parts, ignore_index=True)


def embedding(classes, length, methods):
    chosen = class_names(min(classes, 8), length)  # it chooses so many
    rows = list(product(("before modulation", "after modulation"), chosen, range(5)))
    table = pd.DataFrame(rows, columns=["stage", "class_name", "video"]).assign(title="CLIP-FSAR (OTAM, one direction)")
    chance = np.random.default_rng(0)
    return table.assign(x=chance.normal(size=len(table)), y=chance.normal(size=len(table)))


def episode(classes, length, methods):
    names, frames = class_names(3, length), 8
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 24 * frames, 3), np.uint8)).save(buffer, "JPEG")
    distances = np.random.default_rng(0).random(frames**2)
    row = {
        "distances": distances,
        "path": np.repeat(np.arange(frames), 2),
        "query": buffer.getvalue(),
        "support": buffer.getvalue(),
    }
    rows = [
        {
            "outcome": outcome,
            "true_class": names[0],
            "class_name": name,
            "predicted": (name == names[0]) == (outcome == "right"),
            **row,
        }
        for outcome in (("right", "wrong") if methods > 1 else ("right",))
        for name in names[:2]
    ]
    return pd.DataFrame(rows).assign(title="CLIP-FSAR (OTAM, one direction)")


def published_bars(classes, length, methods):
    rows = [
        {
            "benchmark": benchmark,
            "title": title,
            "bar": bar,
            "figures": figures,
            "accuracy": 50.0 + 40 * (n % 2),
            "quoted": figures == "published" and n % 3 == 0,
        }
        for benchmark, title in PAPER_BENCHMARKS.items()
        for n, bar in enumerate(BARS.values())
        for figures in (("published", "measured") if methods > 1 else ("published",))
    ]
    return pd.DataFrame(rows)


def ranked(methods):
    titles, count = longest_titles(methods), 2 * methods
    rows = pd.DataFrame(list(product(titles, ("small-clip-narrow", "ViT-B-16"))), columns=["method", "backbone"])
    places = np.arange(count)
    common = [[number for number in range(count - 1) if number <= place <= number + 3] for place in places]
    return rows.assign(
        benchmark="kinetics100-with-a-long-name",
        test="all 101 classes, 1-shot",
        inductive=places % 3 > 0,
        groups=common,
    )


def ranking(classes, length, methods):
    rows = ranked(methods)
    behind = 90.0 * np.arange(len(rows)) / len(rows)
    named = {"over_videos": 1.5, "difference_over_episodes": 3.0, "difference_over_videos": 6.0, "apart": behind > 6}
    published = np.where(behind % 2 < 1, 99.9, np.nan)
    trainings = [[accuracy - 2, accuracy + 2] for accuracy in 99 - behind]
    aurocs = {"auroc": 60 + behind / 10 if methods > 1 else np.nan, "auroc_over_videos": 2.0}
    rows = rows.assign(
        **named, **aurocs, accuracy=99 - behind, difference=-behind, published=published, trainings=trainings
    )
    return rows.assign(quoted=rows["published"].notna())


def oscr(classes, length, methods):
    names = [(benchmark, shot) for benchmark in ("ssv2_full", "kinetics100-with-a-long-name") for shot in (1, 5)]
    rows = [
        {"benchmark": benchmark, "backbone": "ViT-B-16", "method": title, "way": 5, "shot": shot, "taken": taken}
        for benchmark, shot in (names if methods > 1 else names[:1])
        for title in longest_titles(methods)
        for taken in np.linspace(0, 100, 11)
    ]
    return pd.DataFrame(rows).assign(right=lambda table: table["taken"] / 2)


def mean_ranks(classes, length, methods):
    rows = ranked(methods)
    means, benchmarks = np.arange(1.0, len(rows) + 1), list(PAPER_BENCHMARKS)
    ranks = [[mean] * len(benchmarks) for mean in means]
    return rows.assign(mean_rank=means, ranks=ranks, critical=13.3, friedman=0.01, benchmarks=[benchmarks] * len(rows))


def domains(classes, length, methods):
    names = [*PAPER_BENCHMARKS, "kinetics100-with-a-long-name"]
    rows = pd.DataFrame(list(product(names, names, longest_titles(methods))), columns=["source", "target", "method"])
    named = {"backbone": "ViT-B-16", "baseline": "Nearest centroid", "test": "all classes, 1-shot", "over_videos": 12.3}
    return rows.assign(difference=np.linspace(-45, 20, len(rows)), **named)


def timeline(classes, length, methods):
    """Return the arguments of its figure, which is drawn from no table; many methods stand for a low threshold."""
    names = class_names(classes, length)
    seconds = np.arange(0.0, 600.0, 2.0)
    curve = Curve()
    curve.points = [*zip(seconds, np.random.default_rng(0).normal(20, 2, len(seconds)), strict=True)]
    found = [Stretch(start, start + 4, names[n % classes], 0.9) for n, start in enumerate(seconds[::3])]
    return curve, found, names, 12.0 if methods > 1 else 30.0


# Each figure with how its data are made; a figure may be drawn of several kinds of data.
FIGURES = {
    "accuracy": [accuracy],
    "ablation": [ablation],
    "sweep": [sweep, frames],
    "class_gain": [class_gain],
    "confusion": [confusion],
    "cost": [cost],
    "curves": [curves],
    "embedding": [embedding],
    "episode": [episode],
    "published_bars": [published_bars],
    "ranking": [ranking],
    "mean_ranks": [mean_ranks],
    "domains": [domains],
    "oscr": [oscr],
    "timeline": [timeline],
}
CASES = [(figure, make) for figure, makes in FIGURES.items() for make in makes]
ROW_PER_CLASS = ("class_gain", "confusion", "timeline")
GRID = [
    (figure, make, size)
    for figure, make in CASES
    for size in product((3, 24, 100) if figure in ROW_PER_CLASS else (3,), (5, 90), (1, 12))
]


def check(figure, make, size):
    style.apply()
    with warnings.catch_warnings(action="error"):  # matplotlib warns where a layout has no room
        if figure == "timeline":
            drawn = timeline_figure(*make(*size))
        else:
            drawn = import_module(f"fsar.results.figures.{figure}").draw(make(*size))
        drawn.draw_without_rendering()
    problems = list(wrong_places(drawn))
    plt.close(drawn)
    assert problems == []


def wrong_places(figure):
    """Say which texts are cut, overlap one another or lie on another panel, and which panels are too small."""
    pixel = 1.0
    whole = figure.bbox
    unseen = {id(text) for axes in figure.axes for text in beyond_the_ends(axes)}
    texts = [
        (text.get_text(), text.get_window_extent(), text.axes)
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen
    ]
    for words, box, _ in texts:
        if min(box.x0, box.y0, whole.x1 - box.x1, whole.y1 - box.y1) < -pixel:
            yield f"{words!r} is cut"
    for (words, box, _), (others, other, _) in combinations(texts, 2):
        if overlap(box, other) > pixel:
            yield f"{words!r} and {others!r} overlap"
    for axes in filter(lambda axes: axes.get_visible(), figure.axes):
        if not hasattr(axes, "_colorbar") and min(axes.bbox.width, axes.bbox.height) < 0.25 * figure.dpi:
            yield "a panel is too small"
        for words, box, own in texts:
            if own is not axes and overlap(box, axes.bbox) > pixel:
                yield f"{words!r} lies on another panel"


def beyond_the_ends(axes):
    """Return the labels of ticks that are not drawn, since their places are not on the axes, or these are hidden."""
    for axis in (axes.xaxis, axes.yaxis):
        lowest, highest = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not (axes.get_visible() and lowest - 1e-9 <= tick.get_loc() <= highest + 1e-9):
                yield from (tick.label1, tick.label2)


def overlap(one, other):
    """Return the shorter side of what two boxes share, in pixels."""
    return min(min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0))


@pytest.mark.parametrize(("figure", "make"), CASES, ids=lambda part: getattr(part, "__name__", None))
def test_long_names_and_many_methods_have_their_place(figure, make):
    check(figure, make, (3, 90, 4) if make is curves else (3, 90, 12))  # each of its panels takes its time


@pytest.mark.slow
@pytest.mark.parametrize(("figure", "make", "size"), GRID, ids=lambda part: getattr(part, "__name__", str(part)))
def test_every_size_has_its_place(figure, make, size):
    check(figure, make, size)


def test_labels_are_told_apart_and_as_long_as_their_place():
    alike = [f"Moving [something] {way} without letting [something] fall" for way in ("up", "down")]
    first, second, short = labels.shorten_all([*alike, "Pushing"], 1.5, 8)
    assert first.startswith("Moving [") and first.endswith(" fall (1)") and short == "Pushing"
    assert second == first.replace("(1)", "(2)") and labels.width(first.removesuffix(" (1)"), 8) <= 1.5
    lines = labels.wrap(NAMES[0], 1.5, 8).split("\n")
    assert len(lines) == 2 and labels.widest(lines, 8) <= 1.5
    assert lines[0].startswith("Putting") and lines[1].endswith("side") and "…" in lines[1]
    assert labels.wrap("of one word", 1.5, 8) == "of one word"


def test_a_name_with_dollars_is_drawn_as_it_is(tmp_path):
    data = class_gain(3, 90, 1).assign(class_name=["paying $1 for $_$", "a", "b"])
    data.to_parquet(tmp_path / "gain.parquet")
    draw("class_gain", tmp_path / "gain.parquet", [tmp_path / "gain.svg"])
    assert "paying $1 for $_$" in (tmp_path / "gain.svg").read_text()


def test_five_seeds_give_one_point_as_one_seed_does(tmp_path):
    right = np.random.default_rng(0).integers(2, 6, 40).clip(0, 5)
    for seeds in (1, 5):
        files = [predictions(tmp_path / f"{seed}.parquet", np.roll(right, seed)) for seed in range(seeds)]
        data = summarise([setting(files, seeds=tuple(range(1, seeds + 1)))])
        assert len(data) == 1 and data["over_videos"].item() > 0
