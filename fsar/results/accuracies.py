"""The accuracies of a setting, from the predictions of its trainings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsar.episodes.stored import StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.predictions import read_predictions, right_by_episode, views_of
from fsar.files import read_parquet
from fsar.results.setting import Setting
from fsar.seal import REMEDY
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.statistics.design import Design

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """What one setting came to, in percent; E episodes, way N, S trainings, V draws of the videos' frames.

    Attributes:
        episodes: (E,) accuracy of each episode, averaged over the trainings and draws.
        by_class: (E, N) the same of the queries of each class.
        trainings: (S,) mean accuracy of each training.
        draws: (V,) mean accuracy with each draw of the frames.
    """

    episodes: Values
    by_class: Values
    trainings: Values
    draws: Values

    @classmethod
    def read(cls, setting: Setting) -> "Measured":
        """Read it from the setting's predictions."""
        return cls.of(setting, setting_predictions(setting, ["episode", "label", "predicted"]))

    @classmethod
    def of(cls, setting: Setting, tables: Sequence[pd.DataFrame]) -> "Measured":
        """Return it from the setting's predictions that were read, a table per training."""
        episodes = [100 * right_by_episode(table) for table in tables]
        by_class = [100 * _right_by_class(table) for table in tables]
        trainings = [100 * (table["label"] == table["predicted"]).mean() for table in tables]
        draws = [_by_draw(table, views_of(path)) for table, path in zip(tables, setting.predictions, strict=True)]
        return cls(np.mean(episodes, axis=0), np.mean(by_class, axis=0), np.array(trainings), np.mean(draws, axis=0))


def setting_predictions(setting: Setting, columns: Sequence[str]) -> list[pd.DataFrame]:
    """Return the setting's predictions, a table per training."""
    return [read_predictions(path, setting.method, setting.way, setting.shot, columns) for path in setting.predictions]


def _by_draw(table: pd.DataFrame, views: int) -> Values:
    """Return the mean accuracy of each draw of the frames, in percent: (V,)."""
    right = (table["label"] == table["predicted"]).to_numpy(np.float64)
    return np.asarray(100 * right.reshape(views, -1).mean(axis=1))


def _right_by_class(table: pd.DataFrame) -> Values:
    """Return the share of right predictions of each class in each episode: (E, N).

    Where classes have different numbers of queries, of their mean number; so the mean over classes is the accuracy.
    """
    way = int(table["label"].max()) + 1
    place = table["episode"].to_numpy(np.int64) * way + table["label"].to_numpy(np.int64)
    right = (table["label"] == table["predicted"]).to_numpy(np.float64)
    size = way * (int(table["episode"].max()) + 1)
    return (np.bincount(place, right, size) / (len(table) / size)).reshape(-1, way)


def design_of(setting: Setting) -> Design:
    """Return which sources the videos of each stored episode are from.

    Raises:
        UserError: the predictions are not of these episodes.
    """
    stored, numbers = episodes_and_sources(setting)
    queries = stored.queries
    if stored.asked is not None:  # what is not asked is of no source beside those of the support
        queries = np.where(stored.asked, queries, stored.support[..., :1])
    return Design(stored.classes, numbers[np.concatenate([stored.support, queries], axis=2)])


def episodes_and_sources(setting: Setting) -> tuple[StoredEpisodes, NDArray[np.int64]]:
    """Return the stored episodes of a setting, and the number of the source of each of their videos.

    Raises:
        UserError: the episodes are not of these videos.
    """
    stored = StoredEpisodes.read(Path(setting.episodes))
    sources = sources_of(setting.manifest).reindex(stored.video_ids)
    if sources.isna().any():
        raise UserError(f"{setting.episodes} has videos that {setting.manifest} lacks. {REMEDY}.")
    return stored, pd.factorize(sources)[0].astype(np.int64)


def sources_of(manifest: str) -> "pd.Series[str]":
    """Return the source of each video by its id: its group, or itself where it has none."""
    videos = read_parquet(Path(manifest), MANIFEST_SCHEMA, ["video_id", "group"]).astype(str)
    alone = videos["group"] == ""
    return videos["group"].where(~alone, "video " + videos["video_id"]).set_axis(videos["video_id"])
