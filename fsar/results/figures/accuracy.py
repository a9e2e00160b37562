"""Accuracy over shots, a panel per benchmark, backbone and way."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import style
from fsar.results.figures.summary import summarise
from fsar.results.setting import Setting


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return the accuracy of every setting."""
    return summarise(settings)


def draw(data: pd.DataFrame) -> Figure:
    """Draw a line per method with 95 % intervals over the test videos; methods without support are horizontal lines."""
    groups = list(data.groupby(["benchmark", "backbone", "way", "ways"], sort=False))
    figure, axes = style.panels(len(groups))
    methods = style.ordered(data["method"])
    colours = style.colours(methods)
    for axis, ((benchmark, backbone, way, ways), panel) in zip(axes, groups, strict=True):
        shots = sorted(set(panel["shot"]) - {0}) or [0]
        for number, method in enumerate(methods):
            points = panel[panel["method"] == method].sort_values("shot")
            look: dict[str, Any] = {"label": method, "color": colours[method]}
            if list(points["shot"]) == [0] and shots != [0]:
                axis.axhline(points["accuracy"].iloc[0], linestyle="--", linewidth=1, **look)
                continue
            offset = 0.05 * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                [shots.index(shot) + offset for shot in points["shot"]],
                points["accuracy"],
                yerr=points["over_videos"],
                marker=style.MARKERS[number % len(style.MARKERS)],
                markersize=4,
                linewidth=1,
                capsize=2,
                **look,
            )
        axis.axhline(100 / way, color="0.4", linestyle=":", linewidth=1, label="chance")
        axis.set_xticks(range(len(shots)), [str(shot) for shot in shots])
        axis.set_xlim(-0.4, len(shots) - 0.6)
        axis.set_xlabel("shots")
        style.panel_title(axis, benchmark, backbone, ways)
        axis.grid(axis="x", visible=False)
        axis.set_ylabel("accuracy (%)")
    style.legend_below(figure, axes[0])
    return figure
