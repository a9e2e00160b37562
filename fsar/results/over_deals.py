"""Deals of the same classes are benchmarks of one kind: what holds over all of them, over backbones and trainings."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from fsar.files import atomic
from fsar.results.accuracies import Measured
from fsar.results.setting import Setting
from fsar.statistics.intervals import mean_and_interval

COLUMNS = [
    "way", "shot", "method",
    "minus",  # the method whose accuracy is taken from this one's on the same deal, backbone and seed; empty for none
    "mean",  # of the deals' means: accuracy in percent, or the difference in percentage points
    "over_deals",  # half-width of the 95 % interval over deals (Student's t), each averaged over backbones and seeds
    "over_backbones",  # the same over backbones, each averaged over deals and seeds; empty with one
    "lowest", "highest",  # of all deals, backbones and seeds
    "above_zero",  # among how many of them, such as `5 of 6`; empty where nothing is taken away
    "deals", "backbones", "seeds",
]  # fmt: skip


def accuracies_by_place(settings: Sequence[Setting]) -> pd.DataFrame:
    """Return the mean accuracy of every training that was tested.

    Args:
        settings: of benchmarks of one kind.

    Returns:
        A row per test of a training: way, shot, deal, backbone, seed (0 where nothing is trained), method, accuracy.
    """
    rows = [
        (setting.way, setting.shot, setting.benchmark, setting.backbone, seed, setting.title, accuracy)
        for setting in settings
        for seed, accuracy in zip(setting.seeds or (0,), Measured.read(setting).trainings, strict=True)
    ]
    return pd.DataFrame(rows, columns=["way", "shot", "deal", "backbone", "seed", "method", "accuracy"])


def over_deals(settings: Sequence[Setting]) -> pd.DataFrame:
    """Summarise each method, and each difference of two, over deals, backbones and seeds; columns of `COLUMNS`.

    Args:
        settings: of at least two benchmarks of one kind, with the same backbones, methods, ways and shots.
    """
    rows = []
    for (way, shot), group in accuracies_by_place(settings).groupby(["way", "shot"], sort=False):
        of_method = {
            method: own.set_index(["deal", "backbone", "seed"])["accuracy"]
            for method, own in group.groupby("method", sort=False)
        }
        for method, own in of_method.items():
            rows.append((way, shot, method, "", *_summary(own)))
        for before, after in combinations(of_method, 2):
            rows.append((way, shot, after, before, *_summary(_difference(of_method[after], of_method[before]))))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.loc[table["minus"] == "", "above_zero"] = ""
    return table


def _difference(after: "pd.Series[float]", before: "pd.Series[float]") -> "pd.Series[float]":
    """Take one method's accuracies from another's, training by training; one that is not trained has a single one."""
    if set(after.index) != set(before.index):
        after, before = (own.groupby(level=["deal", "backbone"]).mean() for own in (after, before))
    return after - before


def _summary(values: "pd.Series[float]") -> tuple[object, ...]:
    """Summarise values by deal, backbone and, where it has a level, seed."""
    by_deal, by_backbone = (values.groupby(level=level).mean().to_numpy() for level in ("deal", "backbone"))
    mean, interval = mean_and_interval(by_deal)
    over_backbones = mean_and_interval(by_backbone)[1] if len(by_backbone) > 1 else float("nan")
    above = f"{(values > 0).sum()} of {len(values)}"
    seeds = values.index.get_level_values("seed").nunique() if "seed" in values.index.names else 1
    return mean, interval, over_backbones, values.min(), values.max(), above, len(by_deal), len(by_backbone), seeds


def write_over_deals(settings: Sequence[Setting], csv: Path, markdown: Path) -> None:
    """Write the summary as CSV and as Markdown."""
    table = over_deals(settings)
    with atomic(csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.2f", lineterminator="\n")
    shown = table.map(lambda value: f"{value:.2f}" if isinstance(value, float) else str(value)).replace("nan", "")
    with atomic(markdown) as temporary:
        temporary.write_text(shown.to_markdown(index=False, disable_numparse=True) + "\n", encoding="utf-8")
