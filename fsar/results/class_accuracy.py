"""Accuracy by class, and what each class is taken for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import union_categoricals

from fsar.results.accuracies import setting_predictions, sources_of
from fsar.results.setting import Setting
from fsar.statistics.intervals import interval_of_clusters

COLUMNS = ["episode", "label", "class_name", "video_id", "predicted"]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """The queries of a test, all trainings one after the other; n of them, E episodes, way N, C classes.

    Attributes:
        names: of the classes, sorted; numbers of classes below are places among them.
        true: (n,) class.
        predicted: (n,) class that it was taken for.
        classes: (n, N) classes of its episode.
        videos: its video, by id.
    """

    names: list[str]
    true: Numbers
    predicted: Numbers
    classes: Numbers
    videos: "pd.Categorical"

    @classmethod
    def of(cls, tables: Sequence[pd.DataFrame]) -> "Asked":
        """Return them from tables of predictions with `COLUMNS`, one for each training."""
        videos = union_categoricals([pd.Categorical(table["video_id"]) for table in tables])
        names = sorted(pd.Categorical(tables[0]["class_name"]).remove_unused_categories().categories)
        true, predicted, classes = [], [], []
        for table in tables:
            own = pd.Categorical(table["class_name"], categories=names).codes.astype(np.int64)
            episode, label = (table[name].to_numpy(np.int64) for name in ("episode", "label"))
            of_episode = np.zeros((episode.max() + 1, label.max() + 1), np.int64)
            of_episode[episode, label] = own
            true.append(own)
            predicted.append(of_episode[episode, table["predicted"].to_numpy(np.int64)])
            classes.append(of_episode[episode])
        return cls(names, np.concatenate(true), np.concatenate(predicted), np.concatenate(classes), videos)

    @classmethod
    def read(cls, setting: Setting) -> "Asked":
        """Read them from a setting's predictions."""
        return cls.of(setting_predictions(setting, COLUMNS))


def class_accuracies(asked: Asked, sources: "pd.Series[str]") -> pd.DataFrame:
    """Return the accuracy of each class, its 95 % interval over its query videos (low, high) in percent, and counts.

    Args:
        asked: the queries.
        sources: of each video, by its id (`sources_of`).
    """
    numbers = pd.factorize(sources.reindex(asked.videos.categories.astype(str)))[0]
    source, count = numbers[asked.videos.codes], numbers.max() + 1
    right = asked.true == asked.predicted
    size = (len(asked.names), count)
    queries = np.bincount(asked.true * count + source, minlength=size[0] * count).reshape(size)
    rights = np.bincount(asked.true * count + source, right, size[0] * count).reshape(size).astype(np.int64)
    videos = np.unique(asked.true * len(asked.videos.categories) + asked.videos.codes) // len(asked.videos.categories)
    of_class = np.bincount(videos, minlength=size[0])
    rows = []
    for place, name in enumerate(asked.names):
        there = queries[place] > 0
        low, high = interval_of_clusters(queries[place][there], rights[place][there])
        own = queries[place].sum()
        shares = {"accuracy": 100 * rights[place].sum() / own, "low": 100 * low, "high": 100 * high}
        rows.append({"class_name": name} | shares | {"queries": own, "videos": of_class[place]})
    return pd.DataFrame(rows)


def confusion(asked: Asked) -> pd.DataFrame:
    """Return how often a query of one class is taken for another, when both are in the episode.

    Returns:
        class_name, predicted_name and rate: the share, in percent, of the queries of the first in episodes that have
        the second. No row for classes that never meet.
    """
    count = len(asked.names)
    size = count * count
    met = np.bincount((asked.true[:, None] * count + asked.classes).ravel(), minlength=size)
    taken = np.bincount(asked.true * count + asked.predicted, minlength=size)
    places = np.flatnonzero(met)
    names = np.array(asked.names, object)
    columns = {"class_name": names[places // count], "predicted_name": names[places % count]}
    return pd.DataFrame(columns).assign(rate=100 * taken[places] / met[places])


def taken_for(asked: Asked) -> pd.DataFrame:
    """Return what each class is most often taken for.

    Returns:
        class_name, taken_for and taken_for_rate (as the rate of `confusion`); no row for a class that is never taken
        for another.
    """
    table = confusion(asked)
    wrong = table[(table["class_name"] != table["predicted_name"]) & (table["rate"] > 0)]
    most = wrong.loc[wrong.groupby("class_name")["rate"].idxmax()]
    return most.rename(columns={"predicted_name": "taken_for", "rate": "taken_for_rate"}).reset_index(drop=True)


def of_classes(setting: Setting) -> pd.DataFrame:
    """Return of each class of a setting's test what `class_accuracies` and `taken_for` say."""
    return told_of(Asked.read(setting), sources_of(setting.manifest))


def told_of(asked: Asked, sources: "pd.Series[str]") -> pd.DataFrame:
    """Return the same of queries that were read, and of the sources of their videos."""
    return class_accuracies(asked, sources).merge(taken_for(asked), "left", "class_name")
