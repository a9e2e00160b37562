"""Predictions as a table: a row per clip."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fsar.files import readable
from fsar.predict.prediction import Prediction
from fsar.predict.support import SupportSet


def class_columns(support: SupportSet) -> list[str]:
    """Return the columns that have a number of each class: `p(class)`, or `score(class)` where it is no probability."""
    short = "p" if support.called == "probability" else "score"
    return [f"{short}({name})" for name in support.class_names]


def row(prediction: Prediction, support: SupportSet) -> dict[str, Any]:
    """Return the row of a clip; of one that cannot be read the numbers are NaN, and it has the reason."""
    nearest, scores = prediction.nearest, prediction.scores
    first: dict[str, Any] = {
        "path": readable(prediction.clip.path),
        "label": prediction.label,
        support.called: float("nan") if scores is None else float(scores.max()),
        "margin": prediction.margin,
        "nearest": support.paths[nearest.number] if nearest else "",
        "reason": prediction.reason,
    }
    each = np.full(len(support.class_names), np.nan) if scores is None else scores
    return first | dict(zip(class_columns(support), map(float, each), strict=True))


def table(rows: Sequence[dict[str, Any]], support: SupportSet) -> pd.DataFrame:
    """Return rows of `row` as a table, which has its columns without a row too."""
    columns = ["path", "label", support.called, "margin", "nearest", "reason", *class_columns(support)]
    return pd.DataFrame(rows, columns=columns)


def with_top(predictions: pd.DataFrame, support: SupportSet, count: int) -> pd.DataFrame:
    """Return a table of predictions with the second to `count`-th class of each clip, and its number, as columns."""
    scores = predictions[class_columns(support)].to_numpy()
    order = np.argsort(-scores, axis=1, kind="stable")
    read = ~np.isnan(scores).any(axis=1)
    for place in range(1, min(count, scores.shape[1])):
        each = [support.class_names[number] for number in order[:, place]]
        predictions[f"label_{place + 1}"] = np.where(read, each, "")
        predictions[f"{support.called}_{place + 1}"] = np.take_along_axis(scores, order, 1)[:, place]
    return predictions
