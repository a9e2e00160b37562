"""The timeline as a figure: a row for each class, and how sure each window is."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from fsar.files import atomic
from fsar.predict.timeline import Curve, Stretch
from fsar.results.figures import style


def draw_timeline(
    curve: Curve, found: Sequence[Stretch], class_names: Sequence[str], threshold: float, path: Path
) -> None:
    """Draw the stretches of each class over time, and below them the logit of the nearest class with the threshold.

    Args:
        curve, found: of the video.
        class_names: the rows.
        threshold: below it, none of the classes.
        path: .png, .pdf or .svg.
    """
    style.apply()
    height = 0.9 + 0.2 * len(class_names)
    figure, (rows, below) = plt.subplots(
        2, 1, figsize=(7, height + 1.2), sharex=True, layout="constrained", height_ratios=[height, 1.2]
    )
    colours = style.colours(class_names)
    for number, name in enumerate(class_names):
        spans = [(one.start, one.end - one.start) for one in found if one.label == name]
        rows.broken_barh(spans, (number - 0.4, 0.8), color=colours[name])
    rows.set_yticks(range(len(class_names)), class_names)
    rows.set_ylim(len(class_names) - 0.5, -0.5)
    below.plot(*zip(*curve.points, strict=True), color="0.3", linewidth=0.8)
    if threshold > float("-inf"):
        below.axhline(threshold, color="0.3", linestyle="--", linewidth=0.8)
        below.annotate("none of these below", (0.995, threshold), xycoords=("axes fraction", "data"), fontsize=7,
                       ha="right", va="top")  # fmt: skip
    below.set_ylabel("nearest class\n(logit)")
    below.set_xlabel("seconds")
    with atomic(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=200)
    plt.close(figure)
