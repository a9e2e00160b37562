"""Figures, from the table alone."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib
import pandas as pd
import seaborn as sns

from fsar.files import atomic

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Readable in greyscale too: markers differ as well as colours (Okabe and Ito's palette for colour-blind readers).
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
CHANCE = "chance"


def accuracy_figure(table: Path, outputs: Iterable[Path]) -> None:
    """Draw accuracy with its 95 % interval by shot and method, a panel per benchmark, backbone and way.

    Args:
        table: the comparison table as CSV.
        outputs: files to write; the suffix decides the format (pdf, svg, png).
    """
    rows = pd.read_csv(table)
    sizes = dict.fromkeys(
        ("axes.labelsize", "axes.titlesize", "legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 8
    )
    reproducible = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "fsar"}
    sns.set_theme(style="whitegrid", context="paper", rc={**sizes, **reproducible})
    panels = list(rows.groupby(["benchmark", "backbone", "way"], sort=False))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels), 2.9), squeeze=False, sharey=True, layout="constrained"
    )
    methods = list(dict.fromkeys(rows["method"]))
    colours = dict(zip(methods, sns.color_palette("colorblind", len(methods)), strict=True))
    for axis, ((benchmark, backbone, way), panel) in zip(axes[0], panels, strict=True):
        shots = sorted(panel["shot"].unique())
        for number, method in enumerate(methods):
            points = panel[panel["method"] == method].sort_values("shot")
            offset = 0.08 * (number - (len(methods) - 1) / 2)
            axis.errorbar(
                [shots.index(shot) + offset for shot in points["shot"]],
                points["accuracy"],
                yerr=points["interval"],
                label=method,
                color=colours[method],
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                linewidth=1,
                capsize=3,
            )
        axis.axhline(100 / way, color="0.4", linestyle=":", linewidth=1, label=CHANCE)
        axis.set_xticks(range(len(shots)), [str(shot) for shot in shots])
        axis.set_xlim(-0.4, len(shots) - 0.6)
        axis.set_xlabel("shots")
        axis.set_title(f"{benchmark}, {backbone}, {way}-way")
    axes[0, 0].set_ylabel("accuracy (%), 95 % interval")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2 * len(panels), frameon=False)
    for path in outputs:
        with atomic(path) as temporary:
            # No dates inside: the same table gives the same bytes.
            dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix[1:], {})
            figure.savefig(temporary, format=path.suffix[1:], dpi=200, metadata=dates)
    plt.close(figure)
