"""Time and memory of each stage, from the benchmark files that Snakemake writes of every job."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import style

log = logging.getLogger(__name__)


def collect(logs: Sequence[str]) -> pd.DataFrame:
    """Return seconds and the most memory of every job.

    Args:
        logs: benchmarks/{stage}/{job}.tsv of the jobs; what was taken from a cache has none.
    """
    rows = []
    for path in filter(Path.is_file, map(Path, logs)):
        try:
            table = pd.read_csv(path, sep="\t", na_values="-").astype({"s": float, "max_rss": float})
        except (OSError, ValueError, KeyError):
            log.warning("%s cannot be read, so this figure lacks the time of that job", path)
            continue
        stage = path.parent.name
        for run in table.itertuples():
            rows.append({"stage": stage, "job": path.stem, "seconds": run.s, "memory_mb": run.max_rss})
    return pd.DataFrame(rows, columns=["stage", "job", "seconds", "memory_mb"])


def draw(data: pd.DataFrame) -> Figure:
    """Draw, for each stage, the time of all its jobs together, and the memory of the largest."""
    stages = data.groupby("stage").agg(seconds=("seconds", "sum"), memory=("memory_mb", "max"), jobs=("job", "size"))
    stages = stages.sort_values("seconds")
    labels = [f"{name} ({jobs})" for name, jobs in zip(stages.index, stages["jobs"], strict=True)]
    figure, axes = style.panels(2, width=style.COLUMN, height=0.8 + 0.19 * len(stages))
    for axis, (column, label) in zip(
        axes, (("seconds", "seconds, all jobs together"), ("memory", "largest job's memory (MB)")), strict=True
    ):
        bars = axis.barh(labels, stages[column], color=style.colours(["bar"])["bar"])
        axis.bar_label(bars, fmt="%.0f", fontsize=6, padding=2)
        axis.set_xlabel(label)
        axis.grid(axis="y", visible=False)
        axis.margins(x=0.35)  # the numbers' room
        axis.ticklabel_format(axis="x", style="plain")
        axis.locator_params(axis="x", nbins=3)
    axes[0].set_ylabel("stage (jobs)")
    axes[1].set_yticklabels([])
    return figure
