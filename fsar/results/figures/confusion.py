"""What each class is taken for, when both are in the episode."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fsar.results.class_accuracy import Asked, confusion
from fsar.results.figures import labels, style
from fsar.results.setting import Setting


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return the rates of one setting."""
    (setting,) = settings
    return confusion(Asked.read(setting)).assign(**setting.named, test=setting.test)


def draw(data: pd.DataFrame) -> Figure:
    """Draw the matrix, true classes in rows."""
    matrix = data.pivot(index="class_name", columns="predicted_name", values="rate")
    matrix = matrix.reindex(columns=matrix.index)
    small = 6  # points
    names = labels.shorten_all(list(matrix.index), 2.2, small)
    side, beside = max(0.17 * len(matrix), 1.8), labels.widest(names, small) + 0.3  # inches
    figure, (axis,) = style.panels(1, width=beside + side + 1.0, height=side + beside + 0.6)
    image = axis.imshow(matrix, cmap="cividis", vmin=0, vmax=100)
    places = np.arange(len(matrix))
    axis.set_xticks(places, names, rotation=90, fontsize=small)
    axis.set_yticks(places, names, fontsize=small)
    axis.grid(visible=False)
    axis.set_xlabel("taken for")
    axis.set_ylabel("true class")
    first = data.iloc[0]
    shown = (f"{first['benchmark']}, {first['backbone']}, {first['test']}", first["method"])
    axis.set_title("\n".join(labels.wrap(text, side + 0.5, 7) for text in shown), fontsize=7)
    bar = figure.colorbar(image, ax=axis, shrink=min(0.7, 4 / side))
    bar.set_label("share of queries (%)")
    return figure
