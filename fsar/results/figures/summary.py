"""Accuracies as figures need them: one row per setting, with the numbers unrounded."""

from collections.abc import Sequence

import pandas as pd

from fsar.results.comparisons import compare_all
from fsar.results.setting import Setting


def summarise(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return accuracy, and the half-width of its 95 % interval over the test videos, in percent, for each setting."""
    found = {
        id(setting): (accuracy, interval)
        for own in compare_all(settings).values()
        for setting, accuracy, interval in zip(own.settings, own.accuracies, own.over_videos, strict=True)
    }
    rows = [
        {
            "benchmark": setting.benchmark,
            "base": setting.base,
            "backbone": setting.backbone,
            "method": setting.title,
            "way": setting.way,
            "ways": setting.ways,
            "every_class": setting.every_class,
            "shot": setting.shot,
            "frames": setting.frames,
            "depth": setting.depth,
            "accuracy": found[id(setting)][0],
            "over_videos": found[id(setting)][1],
        }
        for setting in settings
    ]
    return pd.DataFrame(rows)
