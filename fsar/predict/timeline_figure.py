"""The timeline as a figure: a row for each class, and how sure each window is."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fsar.files import atomic
from fsar.predict.timeline import Curve, Stretch
from fsar.results.figures import labels, style


def draw_timeline(
    curve: Curve, found: Sequence[Stretch], class_names: Sequence[str], threshold: float, path: Path
) -> None:
    """Write the figure of a timeline, see `timeline_figure`, to a .png, .pdf or .svg."""
    style.apply(class_names)
    figure = timeline_figure(curve, found, class_names, threshold)
    with atomic(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=200)
    plt.close(figure)


def timeline_figure(curve: Curve, found: Sequence[Stretch], class_names: Sequence[str], threshold: float) -> Figure:
    """Draw the stretches of each class over time, and below them how near the nearest class is, with the threshold."""
    height = 0.9 + 0.2 * len(class_names)
    figure, (rows, below) = plt.subplots(
        2, 1, figsize=(7, height + 1.2), sharex=True, layout="constrained", height_ratios=[height, 1.2]
    )
    colours = style.colours(class_names)
    for number, name in enumerate(class_names):
        spans = [(one.start, one.end - one.start) for one in found if one.label == name]
        rows.broken_barh(spans, (number - 0.4, 0.8), color=colours[name])
    rows.set_yticks(range(len(class_names)), labels.shorten_all(class_names, 2.6, style.FONT))
    rows.set_ylim(len(class_names) - 0.5, -0.5)
    below.plot(*zip(*curve.points, strict=True), color="0.3", linewidth=0.8)
    if threshold > float("-inf"):
        below.axhline(threshold, color="0.3", linestyle="--", linewidth=0.8)
        lowest, highest = below.get_ylim()
        side = "bottom" if threshold < (lowest + highest) / 2 else "top"  # of the words, which stay within the axes
        below.annotate("none of these below", (0.995, threshold), xycoords=("axes fraction", "data"), fontsize=7,
                       ha="right", va=side)  # fmt: skip
    below.set_ylabel("nearness of\nthe nearest class")
    below.set_xlabel("seconds")
    return figure
