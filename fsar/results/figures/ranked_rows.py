"""Rows of methods in the order of a ranking: their names, a look for each backbone, bars that join equals."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fsar.results.figures import labels, style

SMALL = 7  # points
NAMES, ROW, PANEL, BAR = 2.5, 0.165, 2.1, 0.1  # inches: room for names, height of a row, widths
SEES_OTHERS = "§"  # marks a method whose queries see one another
GREY, SHADE = "0.35", "0.92"


def numbers_of_groups(groups: Iterable[Sequence[int]], rows: int) -> list[list[int]]:
    """Return, for each row, the numbers of the groups that it is in."""
    listed = list(groups)
    return [[number for number, group in enumerate(listed) if row in group] for row in range(rows)]


def rows_figure(data: pd.DataFrame, panels: int) -> tuple[Figure, Axes, list[Axes]]:
    """Return a figure with a row for each method, from the top: an axis for bars, and the panels right of it.

    Args:
        data: a row per method in the order of the ranking: method, backbone, inductive, groups (their numbers).
        panels: how many.
    """
    several = data["backbone"].nunique() > 1
    titles = [
        row.method + (f", {row.backbone}" if several else "") + ("" if row.inductive else f" {SEES_OTHERS}")
        for row in data.itertuples()
    ]
    titles = labels.shorten_all(titles, NAMES, SMALL)
    columns = _columns(data)
    beside = min(max(0.3, BAR * (len(columns) + 1)), NAMES)  # very many bars stand closer
    width = labels.widest(titles, SMALL) + beside + PANEL * panels + 0.3
    figure, axes = plt.subplots(
        1, panels + 1, sharey=True, figsize=(width, 0.75 + ROW * max(len(data), 4)), layout="constrained",
        width_ratios=[beside, *[PANEL] * panels],
    )  # fmt: skip
    bars, *others = axes
    bars.set_yticks(range(len(data)), titles, fontsize=SMALL)
    bars.set_ylim(len(data) - 0.4, -0.6)
    for axis in others:
        axis.tick_params(axis="x", labelsize=SMALL)
    for number, column in enumerate(columns):
        for members in column:
            bars.plot([number] * 2, [members[0], members[-1]], color=GREY, linewidth=1.2)
            bars.plot([number] * len(members), members, "o", color=GREY, markersize=2.6)
    bars.set_xlim(-1, max(len(columns), 2))
    bars.set_xticks([])
    bars.grid(visible=False)
    for side in ("top", "bottom", "right"):
        bars.spines[side].set_visible(False)
    return figure, bars, others


def _columns(data: pd.DataFrame) -> list[list[list[int]]]:
    """Put groups into columns, in each of which none reaches to another: rows by group by column."""
    members: dict[int, list[int]] = {}
    for row, own in enumerate(data["groups"]):
        for number in own:
            members.setdefault(int(number), []).append(row)
    columns: list[list[list[int]]] = []
    for group in sorted(members.values()):
        place = next((column for column in columns if column[-1][-1] < group[0]), None)
        if place is None:
            columns.append([group])
        else:
            place.append(group)
    return columns


def looks(data: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return a colour and a marker for each backbone."""
    backbones = style.ordered(sorted(data["backbone"]))
    colours = style.colours(backbones)
    return {
        backbone: {"color": colours[backbone], "marker": style.MARKERS[number % len(style.MARKERS)]}
        for number, backbone in enumerate(backbones)
    }


def explain(axis: Axes, data: pd.DataFrame) -> None:
    """Add to the legend what bars, marks and the looks of backbones mean."""
    if data["backbone"].nunique() > 1:
        for backbone, look in looks(data).items():
            axis.plot([], [], linestyle="", markersize=4, label=backbone, **look)
    if data["groups"].map(len).any():
        axis.plot([], [], "o-", color=GREY, linewidth=1.2, markersize=2.6, label="joined: not told apart")
    if not data["inductive"].all():
        axis.plot([], [], " ", label=f"{SEES_OTHERS} queries see one another")
