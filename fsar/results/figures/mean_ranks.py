"""Methods by their mean rank on several benchmarks, with the critical difference (Demšar, JMLR 2006)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import labels, ranked_rows, style
from fsar.results.figures.summary import summarise
from fsar.results.ranking import groups, mean_ranks
from fsar.results.setting import Setting
from fsar.statistics.intervals import CONFIDENCE


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return a row per method, the best mean rank first, with its rank on each benchmark.

    Args:
        settings: of one way and shot; every method, with its backbone, on every benchmark.
    """
    inductive = {(setting.title, setting.backbone): setting.inductive for setting in settings}
    table = summarise(settings).pivot_table("accuracy", "benchmark", ["method", "backbone"], sort=False)
    ranks, friedman, critical = mean_ranks(table.to_numpy())
    means = ranks.mean(axis=0)
    order = np.argsort(means, kind="stable")
    apart = (np.abs(means[order][:, None] - means[order]) >= critical) & (friedman < 1 - CONFIDENCE)
    names = [table.columns[place] for place in order]
    return pd.DataFrame(names, columns=["method", "backbone"]).assign(
        test=f"all classes, {settings[0].shot}-shot" if settings[0].every_class else settings[0].test,
        inductive=[inductive[name] for name in names],
        benchmarks=[list(table.index)] * len(names),
        ranks=list(ranks[:, order].T),
        mean_rank=means[order],
        friedman=friedman,
        critical=critical,
        groups=ranked_rows.numbers_of_groups(groups(apart), len(names)),
    )


def draw(data: pd.DataFrame) -> Figure:
    """Draw mean ranks, and the ranks they are of; bars join what is not told apart."""
    figure, _, (axis,) = ranked_rows.rows_figure(data, 1)
    first, look = data.iloc[0], ranked_rows.looks(data)
    axis.axvspan(
        first["mean_rank"], first["mean_rank"] + first["critical"], color=ranked_rows.SHADE, zorder=0, linewidth=0
    )
    for row, own in enumerate(data.itertuples()):
        axis.plot(own.ranks, [row] * len(own.ranks), "|", color=ranked_rows.GREY, markersize=5, markeredgewidth=0.7)
        axis.plot(own.mean_rank, row, markersize=4, **look[own.backbone])
    ranked_rows.explain(axis, data)
    axis.plot([], [], "|", color=ranked_rows.GREY, markersize=5, markeredgewidth=0.7, label="on each benchmark")
    axis.plot([], [], "s", color=ranked_rows.SHADE, markersize=8, label=f"critical difference: {first['critical']:.1f}")
    axis.plot([], [], " ", label=f"Friedman's test: p = {first['friedman']:.2g}")
    axis.set_xlim(0.5, len(data) + 0.5)
    axis.set_xlabel("mean rank")
    axis.locator_params(axis="x", nbins=6, integer=True)
    title = f"{len(first['benchmarks'])} benchmarks, {first['test']}"
    figure.suptitle(labels.wrap(title, figure.get_size_inches()[0] - 0.4, style.FONT), fontsize=style.FONT)
    style.legend_below(figure, axis)
    return figure
