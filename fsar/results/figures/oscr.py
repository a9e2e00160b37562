"""How many known queries are classified rightly while unknown ones are refused, a panel per test."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import style
from fsar.results.setting import Setting
from fsar.results.unknown import Asked
from fsar.statistics.unknown import oscr_curve

RATES = np.linspace(0, 1, 101)  # shares of unknown queries, at which curves are kept
LINES = ["-", "--", "-.", ":"]


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return each method's curve by its main score, in percent, averaged over trainings and draws of frames.

    Args:
        settings: whose tests asked unknown queries.
    """
    parts = []
    for setting in settings:
        asked = Asked.read(setting)
        curves = [np.interp(RATES, *oscr_curve(*own)) for own in asked.pooled(asked.main)]
        accuracy = 100 * asked.right[:, :, ~asked.unknown].mean()
        parts.append(
            pd.DataFrame({"taken": 100 * RATES, "right": 100 * np.mean(curves, axis=0)}).assign(
                **setting.named, score=asked.main, accuracy=accuracy
            )
        )
    return pd.concat(parts, ignore_index=True)


def draw(data: pd.DataFrame) -> Figure:
    """Draw a curve per method; each ends at the method's accuracy."""
    groups = list(data.groupby(["benchmark", "backbone", "way", "shot"], sort=False))
    figure, axes = style.panels(len(groups))
    methods = style.ordered(data["method"])
    colours = style.colours(methods)
    for axis, ((benchmark, backbone, way, shot), panel) in zip(axes, groups, strict=True):
        for number, method in enumerate(methods):
            own = panel[panel["method"] == method]
            line = LINES[number % len(LINES)]
            axis.plot(own["taken"], own["right"], label=method, color=colours[method], linestyle=line, linewidth=1)
        axis.set_xlim(0, 100)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("unknown taken for known (%)")
        axis.set_ylabel("known and right (%)")
        style.panel_title(axis, benchmark, backbone, f"{way}-way", f"{shot}-shot")
    style.legend_below(figure, axes[0])
    return figure
