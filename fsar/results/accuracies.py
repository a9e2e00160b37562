"""The accuracies of a setting, from the predictions of its trainings."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsar.evaluation.predictions import read_predictions, right_by_episode
from fsar.evaluation.statistics import mean_and_interval
from fsar.results.setting import Setting


def setting_predictions(setting: Setting, columns: Sequence[str]) -> list[pd.DataFrame]:
    """Return the setting's predictions, a table per training."""
    return [read_predictions(path, setting.method, setting.way, setting.shot, columns) for path in setting.predictions]


def episode_accuracies(setting: Setting) -> NDArray[np.float64]:
    """Return the accuracy of each episode in percent, averaged over the trainings: (E,)."""
    tables = setting_predictions(setting, ["episode", "label", "predicted"])
    return 100 * np.mean([right_by_episode(table) for table in tables], axis=0)


def training_accuracies(setting: Setting) -> NDArray[np.float64]:
    """Return the mean accuracy of each training in percent: (trainings,)."""
    tables = setting_predictions(setting, ["label", "predicted"])
    return np.array([100 * (table["label"] == table["predicted"]).mean() for table in tables])


def over_seeds(setting: Setting) -> str:
    """Return the half-width of the 95 % interval over the means of several trainings, in percent; empty with one."""
    if len(setting.predictions) < 2:
        return ""
    return f"{mean_and_interval(training_accuracies(setting))[1]:.2f}"


def right_by_video(setting: Setting) -> pd.DataFrame:
    """Return, for each test video that was a query, how often it was (`queries`) and how often it was right (`right`).

    The trainings are taken together; the column class_name is the video's class.
    """
    tables = setting_predictions(setting, ["class_name", "video_id", "label", "predicted"])
    table = pd.concat(tables, ignore_index=True).astype({"class_name": str, "video_id": str})
    right = (table["label"] == table["predicted"]).astype(np.int64)
    groups = right.groupby([table["video_id"], table["class_name"]], sort=True)
    return groups.agg(queries="size", right="sum").reset_index()
