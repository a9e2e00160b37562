"""Training and validation over the training episodes, a panel per model."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import labels, style
from fsar.training.metrics import read_metrics

TERM = "_loss"  # how the columns of the losses' terms end
POINTS = 60  # on a training curve: means over that many stretches


def collect(metrics: Mapping[str, str]) -> pd.DataFrame:
    """Return smoothed training metrics and all validations.

    Args:
        metrics: metrics.parquet of each model, by the model's name.
    """
    parts = []
    for model, path in metrics.items():
        table = read_metrics(Path(path))
        stretch = (table["iteration"] - 1) * POINTS // table["iteration"].max()
        terms = [name for name in table if name.endswith(TERM)]
        means = table.groupby(stretch)[["iteration", "loss", "train_accuracy", *terms]].mean()
        validations = table.dropna(subset="val_accuracy")[["iteration", "val_accuracy"]]
        parts.append(pd.concat([means, validations]).assign(model=model))
    return pd.concat(parts, ignore_index=True)


def draw(data: pd.DataFrame) -> Figure:
    """Draw accuracies on the left axis and the loss on the right, with its terms where any model has several."""
    models = style.ordered(data["model"])
    terms = [name for name in data if name.endswith(TERM)]
    terms = terms if len(terms) > 1 else []
    figure, axes = style.panels(len(models), height=2.2)
    names = ["training accuracy", "validation accuracy", "training loss"]
    titles = {term: f"{term.removesuffix(TERM).replace('_', ' ')}, without its weight" for term in terms}
    colours = style.colours(names) | style.colours([*titles.values()])
    for axis, model in zip(axes, models, strict=True):
        own = data[data["model"] == model]
        lines = own.dropna(subset="loss")
        axis.plot(
            lines["iteration"], 100 * lines["train_accuracy"], color=colours[names[0]], linewidth=0.8, label=names[0]
        )
        points = own.dropna(subset="val_accuracy")
        axis.plot(
            points["iteration"],
            100 * points["val_accuracy"],
            "o-",
            color=colours[names[1]],
            markersize=3.5,
            label=names[1],
        )
        right = axis.twinx()
        right.plot(lines["iteration"], lines["loss"], color=colours[names[2]], linewidth=0.8, linestyle="--")
        for term, title in titles.items():
            right.plot(lines["iteration"], lines[term], color=colours[title], linewidth=0.8, linestyle=":")
            axis.plot([], [], color=colours[title], linewidth=0.8, linestyle=":", label=title)
        right.grid(visible=False)
        right.set_ylabel("loss")
        axis.plot([], [], color=colours[names[2]], linewidth=0.8, linestyle="--", label=names[2])
        axis.set_xlabel("training episodes")
        axis.set_ylabel("accuracy (%)")
        axis.set_title(labels.wrap(model, style.COLUMN - 1.0, 7), fontsize=7)  # scales on both sides of the panel
    style.legend_below(figure, axes[0])
    return figure
