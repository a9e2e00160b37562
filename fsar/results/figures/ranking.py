"""Methods ranked by accuracy on one test, and which of them it tells apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fsar.results.comparisons import compare
from fsar.results.figures import labels, ranked_rows, style
from fsar.results.published import MARK, published_result
from fsar.results.ranking import groups
from fsar.results.setting import Setting
from fsar.results.unknown import asks_unknown, main_aurocs


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return a row per method, the best first; differences are from the best, in percentage points.

    Args:
        settings: at least two, of one benchmark, way and shot.
    """
    found = compare(settings)
    order = np.argsort(-found.accuracies, kind="stable")
    ranked, first = [settings[place] for place in order], order[0]
    aurocs = main_aurocs(ranked) if all(map(asks_unknown, ranked)) else np.full((len(ranked), 2), np.nan)
    published = [published_result(s.published_method, s.published_backbone, s.benchmark, s.way, s.shot) for s in ranked]
    return pd.DataFrame([setting.named for setting in ranked]).assign(
        test=ranked[0].test,
        accuracy=found.accuracies[order],
        over_videos=found.over_videos[order],
        inductive=[setting.inductive for setting in ranked],
        auroc=aurocs[:, 0],
        auroc_over_videos=aurocs[:, 1],
        trainings=[found.measured[place].trainings for place in order],
        published=[one.accuracy if one else np.nan for one in published],
        quoted=[bool(one and one.quoted) for one in published],
        difference=found.differences[order, first],
        difference_over_episodes=found.differences_over_episodes[order, first],
        difference_over_videos=found.differences_over_videos[order, first],
        difference_over_seeds=found.differences_over_seeds[order, first],
        p_holm=found.p_holm[order, first],
        apart=found.apart[order, first],
        groups=ranked_rows.numbers_of_groups(groups(found.apart[np.ix_(order, order)]), len(ranked)),
    )


def draw(data: pd.DataFrame) -> Figure:
    """Draw accuracies beside published ones, and differences from the best; bars join what is not told apart."""
    with_unknown = data["auroc"].notna().any()
    figure, _, (left, right, *further) = ranked_rows.rows_figure(data, 3 if with_unknown else 2)
    for row, own in enumerate(data.itertuples()):
        if not own.apart:
            for axis in (left, right, *further):
                axis.axhspan(row - 0.5, row + 0.5, color=ranked_rows.SHADE, zorder=0, linewidth=0)
    _draw_accuracies(left, data)
    _draw_differences(right, data)
    for axis in further:
        _draw_aurocs(axis, data)
    first = data.iloc[0]
    backbones = [first["backbone"]] if data["backbone"].nunique() == 1 else []
    title = ", ".join([first["benchmark"], *backbones, first["test"]])
    figure.suptitle(labels.wrap(title, figure.get_size_inches()[0] - 0.4, style.FONT), fontsize=style.FONT)
    style.legend_below(figure, left)
    return figure


def _draw_accuracies(axis: Axes, data: pd.DataFrame) -> None:
    look = ranked_rows.looks(data)
    for row, own in enumerate(data.itertuples()):
        axis.errorbar(
            own.accuracy, row, xerr=own.over_videos, markersize=3.5, linewidth=1, capsize=1.5, **look[own.backbone]
        )
        if len(own.trainings) > 1:
            axis.plot(
                own.trainings,
                [row] * len(own.trainings),
                "|",
                color=ranked_rows.GREY,
                markersize=5,
                markeredgewidth=0.7,
            )
        if np.isfinite(own.published):
            axis.plot(own.published, row, linestyle="", markersize=6.5, markerfacecolor="none", **look[own.backbone])
            if own.quoted:
                axis.annotate(MARK, (own.published, row), (3, 1), textcoords="offset points", va="bottom", fontsize=6)
    ranked_rows.explain(axis, data)
    if data["published"].notna().any():
        axis.plot([], [], "o", color=ranked_rows.GREY, markerfacecolor="none", markersize=6.5, label="published")
    if data["quoted"].any():
        axis.plot([], [], " ", label=f"{MARK} quoted second-hand")
    if data["trainings"].map(len).max() > 1:
        axis.plot([], [], "|", color="black", markersize=7, markeredgewidth=0.7, label="each training")
    axis.plot([], [], "s", color=ranked_rows.SHADE, markersize=8, label="not told apart from the best")
    axis.plot([], [], color=ranked_rows.GREY, linewidth=3, label="difference over episodes")
    axis.plot([], [], color=ranked_rows.GREY, linewidth=0.8, label="difference over test videos")
    axis.margins(x=0.1)  # the marks' room
    axis.set_xlabel("accuracy (%)")
    axis.locator_params(axis="x", nbins=5)


def _draw_aurocs(axis: Axes, data: pd.DataFrame) -> None:
    look = ranked_rows.looks(data)
    for row, own in enumerate(data.itertuples()):
        axis.errorbar(
            own.auroc, row, xerr=own.auroc_over_videos, markersize=3.5, linewidth=1, capsize=1.5, **look[own.backbone]
        )
    axis.set_xlabel("unknown actions: AUROC (%)")
    axis.locator_params(axis="x", nbins=5)


def _draw_differences(axis: Axes, data: pd.DataFrame) -> None:
    look = ranked_rows.looks(data)
    axis.axvline(0, color=ranked_rows.GREY, linewidth=0.8)
    for row, own in enumerate(data.itertuples()):
        if row:  # the best is the zero of the others
            colour = look[own.backbone]["color"]
            axis.errorbar(
                own.difference, row, xerr=own.difference_over_episodes, linewidth=0, elinewidth=3, ecolor=colour
            )
            axis.errorbar(own.difference, row, xerr=own.difference_over_videos, linewidth=0.8, capsize=2, color=colour)
            axis.plot(own.difference, row, markersize=3, **look[own.backbone])
    axis.set_xlabel("difference from the best (points)")
    axis.locator_params(axis="x", nbins=5)
