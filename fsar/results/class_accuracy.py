"""Accuracy by class, and what each class is taken for."""

import numpy as np
import pandas as pd

from fsar.evaluation.statistics import mean_and_interval
from fsar.results.table import Setting


def _predictions(setting: Setting) -> pd.DataFrame:
    """Return the queries of all seeds, with the names of the true and of the predicted class."""
    parts = []
    for path in setting.predictions:
        table = pd.read_parquet(path)
        names = table.drop_duplicates(["episode", "label"])[["episode", "label", "class_name"]]
        names = names.rename(columns={"label": "predicted", "class_name": "predicted_name"})
        parts.append(table.merge(names, on=["episode", "predicted"], how="left"))
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"class_name": str, "predicted_name": str})


def class_accuracies(setting: Setting) -> pd.DataFrame:
    """Return the accuracy of each class with its 95 % interval in percent, and the number of its queries."""
    table = _predictions(setting)
    right = 100.0 * (table["label"] == table["predicted"])
    rows = []
    for name, values in right.groupby(table["class_name"]):
        accuracy, interval = mean_and_interval(values.to_numpy()) if len(values) > 1 else (values.iloc[0], np.nan)
        rows.append({"class_name": name, "accuracy": accuracy, "interval": interval, "queries": len(values)})
    return pd.DataFrame(rows)


def confusion(setting: Setting) -> pd.DataFrame:
    """Return how often a query of one class is taken for another, when both are in the episode.

    Returns:
        class_name, predicted_name and rate: the share, in percent, of the queries of the first in episodes that have
        the second.
    """
    table = _predictions(setting)
    names = table.drop_duplicates(["episode", "label"])[["episode", "class_name"]]
    meetings = table[["episode", "class_name"]].merge(
        names.rename(columns={"class_name": "predicted_name"}), on="episode"
    )
    met = meetings.groupby(["class_name", "predicted_name"]).size()
    taken = table.groupby(["class_name", "predicted_name"]).size()
    return (100 * (taken / met).fillna(0)).rename("rate").reset_index()
