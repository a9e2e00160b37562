"""Paired comparisons: all methods meet the same stored episodes, so their differences are taken episode by episode."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd
from scipy import stats

from fsar.evaluation.statistics import CONFIDENCE
from fsar.files import atomic_csv
from fsar.results.accuracies import episode_accuracies
from fsar.results.class_accuracy import class_accuracies, taken_for
from fsar.results.setting import Setting

COMPARISON_COLUMNS = [
    "benchmark", "backbone", "way", "shot", "method", "baseline",
    "difference",  # of the accuracies, percentage points
    "low", "high",  # its 95 % confidence interval
    "p",  # of the paired t-test, two-sided, not corrected for the number of comparisons
    "episodes",
]  # fmt: skip

CLASS_COLUMNS = [
    "benchmark", "backbone", "method", "way", "shot", "class_name", "accuracy", "interval", "queries", "videos",
    "taken_for",  # the class it is most often taken for; empty if for none
    "taken_for_rate",  # percent of its queries in episodes that have both
]  # fmt: skip


def compare(settings: Sequence[Setting]) -> pd.DataFrame:
    """Compare every two methods on the episodes they share; columns of `COMPARISON_COLUMNS`."""
    groups: dict[tuple[str, str, int, int], list[Setting]] = {}
    for setting in settings:
        groups.setdefault((setting.benchmark, setting.backbone, setting.way, setting.shot), []).append(setting)
    rows = []
    for place, members in groups.items():
        accuracies = {setting.title: episode_accuracies(setting) for setting in members}
        for (baseline, before), (method, after) in combinations(accuracies.items(), 2):
            if (after == before).all():
                rows.append((*place, method, baseline, 0.0, 0.0, 0.0, 1.0, len(after)))
                continue
            test = stats.ttest_rel(after, before)
            low, high = test.confidence_interval(CONFIDENCE)
            rows.append((*place, method, baseline, (after - before).mean(), low, high, test.pvalue, len(after)))
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def write_statistics(settings: Sequence[Setting], comparisons: Path, classes: Path) -> None:
    """Write paired comparisons and accuracies by class as CSV."""
    own = [class_accuracies(one).merge(taken_for(one), "left", "class_name").assign(**one.named) for one in settings]
    by_class = pd.concat(own, ignore_index=True)
    for table, path in ((compare(settings), comparisons), (by_class[CLASS_COLUMNS], classes)):
        with atomic_csv(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
