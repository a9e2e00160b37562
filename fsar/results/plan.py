"""Which figures a config gives: each with its kind, what it is made of, and what is said below it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fsar.config import Config
from fsar.model.methods import METHODS, model_of
from fsar.results.layouts import COMPONENTS

Row = dict[str, Any]  # a `fsar.results.table.Setting`, as plain values


@dataclass(frozen=True)
class PlannedFigure:
    """A figure to draw.

    Attributes:
        kind: the file in fsar/results/figures/.
        caption: what is said below it.
        arguments: of its `collect`.
        inputs: files it is made from.
    """

    kind: str
    caption: str
    arguments: dict[str, Any]
    inputs: list[str]


@dataclass(frozen=True)
class Places:
    """Where the files of a model are: each is a function of benchmark, backbone, method (of the model) and seed."""

    weights: Callable[[str, str, str, int], str]
    metrics: Callable[[str, str, str, int], str]
    features: Callable[[str, str, str, int], str]


def planned_figures(config: Config, settings: Sequence[Row], places: Places) -> dict[str, PlannedFigure]:
    """Return the figures of a config by name."""
    figures: dict[str, PlannedFigure] = {}

    def add(name: str, kind: str, caption: str, rows: Sequence[Row], **arguments: Any) -> None:
        inputs = sorted({path for row in rows for path in row["predictions"]})
        figures[name] = PlannedFigure(kind, caption, {"settings": list(rows), **arguments}, inputs)

    interval = "Error bars: 95 % intervals over the test episodes."
    way, seed = config.run.ways[0], config.run.seeds[0]
    plain = [row for row in settings if row["base"] == row["benchmark"]]
    main = [row for row in plain if row["way"] == way]
    add("published", "published_bars", "Published 5-way 1-shot accuracies; diamonds: measured here.", settings)
    add("accuracy", "accuracy", f"Accuracy over shots. {interval}", main)
    for over, title in (
        ("way", "ways"),
        ("frames", "frames per video"),
        ("depth", "depth of the temporal transformer"),
    ):
        rows = plain if over == "way" else [row for row in settings if row["way"] == way]
        if len({row[over] for row in rows}) > 1:
            add(f"over-{over}", "sweep", f"Accuracy over {title}. {interval}", rows, over=over)
    components = [row for row in main if row["key"] in COMPONENTS]
    if len({row["key"] for row in components}) > 2:
        add("ablation", "ablation", f"Each component by itself and together. {interval}", components)
    for benchmark in dict.fromkeys(row["benchmark"] for row in main):
        for backbone in config.run.backbones:
            own = [row for row in main if (row["benchmark"], row["backbone"]) == (benchmark, backbone)]
            figures |= _of_one_benchmark(config, own, benchmark, backbone, places)
    models = {
        (row["benchmark"], row["backbone"], model_of(row["key"])): None for row in settings if row["selection"] == "val"
    }
    if models:
        metrics = {f"{b}, {bb}, {METHODS[m].title}": places.metrics(b, bb, m, seed) for b, bb, m in models}
        figures["curves"] = PlannedFigure(
            "curves",
            "Training (means over stretches of episodes) and validation, one seed.",
            {"metrics": metrics},
            sorted(metrics.values()),
        )
    figures["cost"] = PlannedFigure(
        "cost",
        "Wall time of all jobs of a stage together, and the memory of its largest job, as Snakemake measured them.",
        {"logs": "logs"},
        sorted({path for row in settings for path in row["predictions"]}),
    )
    return figures


def _of_one_benchmark(
    config: Config, settings: Sequence[Row], benchmark: str, backbone: str, places: Places
) -> dict[str, PlannedFigure]:
    """Return the figures that look closer at one method on one benchmark, at the smallest shot."""
    shots = [row["shot"] for row in settings if row["shot"] > 0]
    rows: dict[str, Row] = {row["key"]: row for row in settings if shots and row["shot"] == min(shots)}
    if not rows:
        return {}
    key = "clip-fsar" if "clip-fsar" in rows else list(rows)[-1]
    row, method, name = rows[key], METHODS[key], f"{benchmark}-{backbone}"
    figures = {
        f"confusion-{name}": PlannedFigure(
            "confusion",
            f"What each class is taken for by {method.title}: share of its queries in episodes that hold both classes.",
            {"settings": [row]},
            row["predictions"],
        )
    }
    baseline = next((other for other in ("otam", "clip-freeze") if other in rows and other != key), None)
    if baseline:
        figures[f"class-gain-{name}"] = PlannedFigure(
            "class_gain",
            f"Accuracy of {method.title} minus that of {METHODS[baseline].title}, for each test class.",
            {"settings": [row, rows[baseline]]},
            [*row["predictions"], *rows[baseline]["predictions"]],
        )
    if not method.components.temporal_transformer or row["selection"] != "val":
        return figures
    model = (benchmark, backbone, model_of(key), config.run.seeds[0])
    features, weights = places.features(*model), places.weights(*model)
    arguments = {
        "title": method.title,
        "features": features,
        "trained": weights,
        "components": vars(method.components),
        "head": config.settings(benchmark, "head"),
        "seed": config.seed,
    }
    manifest = f"data/{benchmark}/manifest.parquet"
    figures[f"embedding-{name}"] = PlannedFigure(
        "embedding",
        "t-SNE of test videos (mean frame features), before and after the transformer with the text of their class.",
        arguments | {"manifest": manifest},
        [features, weights, manifest],
    )
    if row["shot"] == 1 and method.components.metric == "otam":
        episodes = f"data/{benchmark}/episodes/test-{row['way']}way-1shot.parquet"
        index = f"data/{benchmark}/frames/index.parquet"
        predictions = row["predictions"][0]
        own = {"episodes": episodes, "index": index, "predictions": predictions}
        figures[f"episode-{name}"] = PlannedFigure(
            "episode",
            "The first query taken for the right class and the first for a wrong one: distances of its frames to those "
            "of the true class (left) and of another (right), with the ordered alignment.",
            arguments | own | {"sampling": config.settings(benchmark, "sampling")},
            [features, weights, *own.values()],
        )
    return figures
