"""What each component brings: the methods of the ablation side by side."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import style
from fsar.results.figures.summary import summarise
from fsar.results.setting import Setting


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return the accuracies of the ablation's settings."""
    return summarise(settings)


def draw(data: pd.DataFrame) -> Figure:
    """Draw groups of bars by shot, with 95 % intervals over the test videos."""
    groups = list(data.groupby(["benchmark", "backbone", "way", "ways"], sort=False))
    figure, axes = style.panels(len(groups), width=1.5 * style.COLUMN)
    methods = style.ordered(data["method"])
    colours = style.colours(methods)
    width = 0.8 / len(methods)
    for axis, ((benchmark, backbone, way, ways), panel) in zip(axes, groups, strict=True):
        shots = sorted(panel["shot"].unique())
        for number, method in enumerate(methods):
            own = panel[panel["method"] == method].set_index("shot")
            places = [shots.index(shot) + (number - (len(methods) - 1) / 2) * width for shot in own.index]
            axis.bar(
                places, own["accuracy"], width, yerr=own["over_videos"], capsize=2, label=method, color=colours[method],
                hatch=style.HATCHES[number % len(style.HATCHES)], edgecolor="white", error_kw={"linewidth": 0.8},
            )  # fmt: skip
        axis.axhline(100 / way, color="0.4", linestyle=":", linewidth=1, label="chance")
        axis.set_xticks(range(len(shots)), [f"{shot}-shot" for shot in shots])
        axis.set_ylabel("accuracy (%)")
        style.panel_title(axis, benchmark, backbone, ways)
        axis.grid(axis="x", visible=False)
    style.legend_below(figure, axes[0])
    return figure
