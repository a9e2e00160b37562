"""Accuracy over one number: ways, frames per video, or depth of the temporal transformer."""

from collections.abc import Collection, Sequence

import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import style
from fsar.results.figures.summary import summarise
from fsar.results.setting import Setting

LABELS = {"way": "ways", "frames": "frames per video", "depth": "layers of the temporal transformer"}


def collect(settings: Sequence[Setting], over: str) -> pd.DataFrame:
    """Return the accuracies of settings that are equal but for one number; the smallest number of the others.

    Args:
        settings: of a benchmark and its variants.
        over: way, frames or depth.
    """
    table = summarise(settings).query("shot > 0")
    others = [name for name in ("way", "shot", "frames", "depth") if name != over]
    counted = table.groupby(["base", "backbone", "method", *others])[over].transform("nunique")
    swept = table[counted > 1]
    smallest = swept.groupby(["base", "backbone"])["shot"].transform("min")
    return swept[swept["shot"] == smallest].assign(over=over).sort_values(["base", "backbone", "method", over])


def draw(data: pd.DataFrame) -> Figure:
    """Draw a line per method, with 95 % intervals over the test videos."""
    over = str(data["over"].iloc[0])
    fixed = [] if over == "way" else ["ways"]
    groups = list(data.groupby(["base", "backbone", "shot", *fixed], sort=False))
    figure, axes = style.panels(len(groups))
    methods = style.ordered(data["method"])
    colours = style.colours(methods)
    for axis, (names, panel) in zip(axes, groups, strict=True):
        for number, method in enumerate(methods):
            points = panel[panel["method"] == method].sort_values(over)
            if points.empty:
                continue
            axis.errorbar(
                points[over],
                points["accuracy"],
                yerr=points["over_videos"],
                label=method,
                color=colours[method],
                marker=style.MARKERS[number % len(style.MARKERS)],
                markersize=4,
                linewidth=1,
                capsize=2,
            )
        values = sorted(panel[over].unique())
        if over == "way":
            axis.plot(values, [100 / way for way in values], color="0.4", linestyle=":", linewidth=1, label="chance")
        axis.set_xticks(values, _apart(values, set(panel.loc[panel["every_class"], over]) if over == "way" else ()))
        axis.set_xlabel(LABELS[over])
        axis.set_ylabel("accuracy (%)")
        style.panel_title(axis, names[0], names[1], *names[3:], f"{names[2]}-shot")
        axis.grid(axis="x", visible=False)
    style.legend_below(figure, axes[0])
    return figure


def _apart(values: Sequence[int], everything: Collection[int] = ()) -> list[str]:
    """Return a label for each number, empty where it would touch the one before it.

    Args:
        values: in ascending order.
        everything: those of them that are all there is, which are marked, and keep their label.
    """
    room = (max(values) - min(values)) / 18  # of one label on a panel as wide as a column
    shown: list[int] = []
    for value in values:
        if not shown or value - shown[-1] >= room:
            shown.append(value)
    shown = [value for value in shown if not any(0 < end - value < room for end in everything)]
    return [f"{value}\nall" if value in everything else str(value) if value in shown else "" for value in values]
