"""What each class is taken for, when both are in the episode."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fsar.plan.setting import Setting
from fsar.results.class_accuracy import confusion
from fsar.results.figures import style


def collect(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return the rates of one setting."""
    (setting,) = settings
    return confusion(setting).assign(
        benchmark=setting.benchmark,
        backbone=setting.backbone,
        method=setting.title,
        way=setting.way,
        shot=setting.shot,
    )


def draw(data: pd.DataFrame) -> Figure:
    """Draw the matrix, true classes in rows."""
    matrix = data.pivot(index="class_name", columns="predicted_name", values="rate")
    matrix = matrix.reindex(columns=matrix.index)
    side = 1.6 + 0.17 * len(matrix)
    figure, (axis,) = style.panels(1, width=side + 0.6, height=side)
    image = axis.imshow(matrix, cmap="cividis", vmin=0, vmax=100)
    places = np.arange(len(matrix))
    axis.set_xticks(places, matrix.columns, rotation=90, fontsize=6)
    axis.set_yticks(places, matrix.index, fontsize=6)
    axis.grid(visible=False)
    axis.set_xlabel("taken for")
    axis.set_ylabel("true class")
    first = data.iloc[0]
    settings = f"{first['way']}-way {first['shot']}-shot"
    title = style.panel_title(first["benchmark"], first["backbone"], settings)
    axis.set_title(f"{title}\n{first['method']}", fontsize=7)
    bar = figure.colorbar(image, ax=axis, shrink=0.7)
    bar.set_label("share of queries (%)")
    return figure
