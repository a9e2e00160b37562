"""Accuracy by class, and what each class is taken for."""

import pandas as pd

from fsar.results.accuracies import right_by_source, setting_predictions
from fsar.results.setting import Setting
from fsar.statistics.intervals import interval_of_clusters


def _predictions(setting: Setting) -> pd.DataFrame:
    """Return the queries of all seeds, with the names of the true and of the predicted class."""
    parts = []
    for table in setting_predictions(setting, ["episode", "label", "class_name", "predicted"]):
        names = table.drop_duplicates(["episode", "label"])[["episode", "label", "class_name"]]
        names = names.rename(columns={"label": "predicted", "class_name": "predicted_name"})
        parts.append(table.merge(names, on=["episode", "predicted"], how="left"))
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"class_name": str, "predicted_name": str})


def class_accuracies(setting: Setting) -> pd.DataFrame:
    """Return the accuracy of each class, its 95 % interval over its query videos (low, high) in percent, and counts."""
    rows = []
    for name, sources in right_by_source(setting).groupby("class_name"):
        queries, right = sources["queries"].to_numpy(), sources["right"].to_numpy()
        low, high = interval_of_clusters(queries, right)
        shares = {"accuracy": 100 * right.sum() / queries.sum(), "low": 100 * low, "high": 100 * high}
        rows.append({"class_name": name} | shares | {"queries": queries.sum(), "videos": sources["videos"].sum()})
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


def taken_for(setting: Setting) -> pd.DataFrame:
    """Return what each class is most often taken for.

    Returns:
        class_name, taken_for and taken_for_rate (as the rate of `confusion`); no row for a class that is never taken
        for another.
    """
    table = confusion(setting)
    wrong = table[(table["class_name"] != table["predicted_name"]) & (table["rate"] > 0)]
    most = wrong.loc[wrong.groupby("class_name")["rate"].idxmax()]
    return most.rename(columns={"predicted_name": "taken_for", "rate": "taken_for_rate"}).reset_index(drop=True)
