"""Accuracies as figures need them: one row per setting, with the numbers unrounded."""

from collections.abc import Sequence

import pandas as pd

from fsar.evaluation.statistics import mean_and_interval
from fsar.results.accuracies import episode_accuracies
from fsar.results.setting import Setting


def summarise(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return accuracy and the half-width of its 95 % interval in percent, for each setting."""
    rows = []
    for setting in settings:
        accuracy, interval = mean_and_interval(episode_accuracies(setting))
        own = {"base": setting.base, "frames": setting.frames, "depth": setting.depth}
        rows.append({**setting.named, **own, "accuracy": accuracy, "interval": interval})
    return pd.DataFrame(rows)
