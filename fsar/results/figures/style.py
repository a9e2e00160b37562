"""One look for all figures: sized for a column, fonts embedded, readable in greyscale and by colour-blind readers."""

from collections.abc import Iterable, Sequence

import matplotlib
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import array_split

from fsar.results.figures import fonts, labels

matplotlib.use("Agg")

COLUMN = 3.4  # inches, the width of a column of a two-column page
FONT = 8  # points
MARK = 0.55  # inches, of an entry's mark in a legend and the space around it
# Okabe and Ito's colours as seaborn has them; markers and hatches differ too, for print without colour.
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
HATCHES = ["", "///", "...", "xxx", "\\\\\\", "++", "oo", "--"]


def apply(texts: Iterable[str] = ()) -> None:
    """Set the style; the same data then gives the same bytes.

    Args:
        texts: what is going to be written; other fonts are asked for what the usual one lacks of them.
    """
    sizes = dict.fromkeys(
        ("axes.labelsize", "axes.titlesize", "legend.fontsize", "xtick.labelsize", "ytick.labelsize", "font.size"), FONT
    )
    reproducible = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "fsar"}
    # A $ in a name is a $.
    plain = {"hatch.linewidth": 0.5, "legend.frameon": False, "axes.titlepad": 4, "text.parse_math": False}
    sns.set_theme(style="whitegrid", context="paper", rc={**sizes, **reproducible, **plain})
    if families := fonts.families_for(texts):
        matplotlib.rcParams["font.family"] = [*matplotlib.rcParams["font.family"], *families]


def colours(names: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Return a colour for each name, in their order."""
    palette = "colorblind" if len(names) <= 10 else "husl"
    return dict(zip(names, sns.color_palette(palette, len(names)), strict=True))


def panels(count: int, width: float = COLUMN, height: float = 2.4) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels in rows of at most three, and the panels."""
    columns = min(count, 3)
    rows = -(-count // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained"
    )
    for unused in list(axes.flat)[count:]:
        unused.set_visible(False)
    return figure, list(axes.flat)[:count]


def legend_below(figure: Figure, axis: Axes, columns: int | None = None) -> None:
    """Put one legend for all panels below them, where it covers no data."""
    handles, names = axis.get_legend_handles_labels()
    width, height = figure.get_size_inches()
    names = labels.shorten_all(names, width - MARK - 0.1, FONT)
    most = min(columns or len(names), len(names))
    columns = next(count for count in range(most, 0, -1) if _fits(names, count, width))
    figure.set_size_inches(width, height + 0.16 * -(-len(names) // columns))  # the panels keep their height
    figure.legend(handles, names, loc="outside lower center", ncols=columns)


def _fits(names: Sequence[str], columns: int, width: float) -> bool:
    """Tell whether a legend has room in so many columns, each as wide as its widest entry; one must do."""
    return columns == 1 or sum(labels.widest(list(part), FONT) + MARK for part in array_split(names, columns)) <= width


def panel_title(axis: Axes, *parts: str, inches: float = COLUMN - 0.6) -> None:
    """Say above a panel what it is of, in two lines where one of `inches` is too short."""
    axis.set_title(labels.wrap(", ".join(parts), inches, FONT))


def ordered(values: Iterable[str]) -> list[str]:
    """Return each value once, in the order of its first appearance."""
    return list(dict.fromkeys(values))
