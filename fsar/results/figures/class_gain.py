"""Where a method gains over a baseline: the difference of their accuracies for every test class."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from fsar.results.class_accuracy import of_classes
from fsar.results.figures import labels, style
from fsar.results.setting import Setting


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return the accuracy of two methods for every class.

    Args:
        settings: the method's and the baseline's, of the same episodes.
    """
    method, baseline = settings
    keys = ["class_name"]
    table = of_classes(method).merge(of_classes(baseline), on=keys, suffixes=("", "_baseline"))
    columns = ["class_name", "accuracy", "accuracy_baseline", "queries"]
    table = table[columns].assign(
        **method.named, test=method.test, baseline=baseline.title, gain=table["accuracy"] - table["accuracy_baseline"]
    )
    return table.sort_values("gain", ascending=False, ignore_index=True)


def draw(data: pd.DataFrame) -> Figure:
    """Draw a bar per class, in the order of the gain."""
    names = labels.shorten_all(list(data["class_name"]), 3.4, style.FONT)
    bars = 3.2  # inches
    width = labels.widest(names, style.FONT) + bars + 0.2
    figure, (axis,) = style.panels(1, width=width, height=1.1 + 0.16 * len(data))
    better, worse = style.colours(["better", "worse"]).values()
    axis.barh(range(len(data)), data["gain"], color=[better if gain >= 0 else worse for gain in data["gain"]])
    axis.set_yticks(range(len(data)), names)
    axis.set_ylim(len(data) - 0.4, -0.6)
    axis.axvline(0, color="0.3", linewidth=0.8)
    first = data.iloc[0]
    compared = f"accuracy of {first['method']} − {first['baseline']}"
    axis.set_xlabel(labels.wrap(compared, bars, style.FONT) + "\n(percentage points)")
    style.panel_title(axis, first["benchmark"], first["backbone"], first["test"], inches=bars)
    axis.grid(axis="y", visible=False)
    return figure
