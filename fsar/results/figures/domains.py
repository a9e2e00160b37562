"""What training on one benchmark brings on another: source × target, as the difference from what trains nothing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fsar.results.comparisons import compare_all
from fsar.results.figures import labels, style
from fsar.results.setting import Setting

SMALL = 7  # points
CELL = 0.62  # inches


def collect(settings: Sequence[Setting], baseline: str) -> pd.DataFrame:
    """Return the paired difference of each method from the baseline, for each source and target.

    Args:
        settings: of one way and shot, the baseline's among them on every benchmark and backbone.
        baseline: the key of the method that the others are compared with.

    Returns:
        source, target, removed (number of classes), backbone, method, baseline, way, shot, test (in words), accuracy,
        baseline_accuracy, difference (percentage points), over_videos (half-width of its 95 % interval).
    """
    rows = []
    for found in compare_all(settings).values():
        places = {own.backbone: number for number, own in enumerate(found.settings) if own.method == baseline}
        for number, setting in enumerate(found.settings):
            first = places.get(setting.backbone)
            if first is None or number == first:
                continue
            rows.append(
                {
                    "source": setting.trained_on or setting.base,
                    "target": setting.base,
                    "removed": len(setting.removed),
                    "backbone": setting.backbone,
                    "method": setting.title,
                    "baseline": found.settings[first].title,
                    "way": setting.way,
                    "shot": setting.shot,
                    "test": f"all classes, {setting.shot}-shot" if setting.every_class else setting.test,
                    "accuracy": found.accuracies[number],
                    "baseline_accuracy": found.accuracies[first],
                    "difference": found.differences[number, first],
                    "over_videos": found.differences_over_videos[number, first],
                }
            )
    return pd.DataFrame(rows)


def draw(data: pd.DataFrame) -> Figure:
    """Draw a heat map for each backbone and method, sources in rows and targets in columns."""
    sources, targets = style.ordered(data["source"]), style.ordered(data["target"])
    groups = list(data.groupby(["backbone", "method"], sort=False))
    names = [labels.shorten_all(own, 1.6, SMALL) for own in (sources, targets)]
    width = labels.widest(names[0], SMALL) + 0.3 + max(CELL * len(targets), 1.2) + 0.5
    height = labels.widest(names[1], SMALL) + 0.7 + max(CELL * len(sources), 0.9)
    figure, axes = style.panels(len(groups), width=width, height=height)
    most = max(float(data["difference"].abs().max()), 1.0)
    for axis, ((backbone, method), panel) in zip(axes, groups, strict=True):
        matrix = panel.pivot(index="source", columns="target", values="difference").reindex(sources)[targets]
        image = axis.imshow(matrix, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
        _write(axis, panel, sources, targets, most)
        axis.set_xticks(range(len(targets)), names[1], rotation=90, fontsize=SMALL)
        axis.set_yticks(range(len(sources)), names[0], fontsize=SMALL)
        axis.set_xlabel("tested on")
        axis.set_ylabel("trained on")
        axis.grid(visible=False)
        style.panel_title(axis, method, backbone, inches=width - 0.6)
    first = data.iloc[0]
    shown = axes[: len(groups)]
    bar = figure.colorbar(image, ax=shown, location="bottom", fraction=0.06, aspect=30)
    compared = f"accuracy − {first['baseline']}, {first['test']} (percentage points)"
    bar.set_label(labels.wrap(compared, figure.get_size_inches()[0] - 0.3, style.FONT))
    figure.set_size_inches(figure.get_size_inches() + np.array([0.0, 0.7]))
    return figure


def _write(axis: Axes, panel: pd.DataFrame, sources: list[str], targets: list[str], most: float) -> None:
    """Write each difference and its interval into its cell."""
    for row in panel.itertuples():
        text = f"{row.difference:+.1f}".replace("-", "−")
        if not np.isnan(row.over_videos):
            text += f"\n± {row.over_videos:.1f}"
        colour = "white" if abs(row.difference) > 0.6 * most else "black"
        place = targets.index(row.target), sources.index(row.source)
        axis.text(*place, text, ha="center", va="center", fontsize=SMALL - 1, color=colour)
