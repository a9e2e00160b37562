"""The comparison table: what was measured, with its interval, beside what was published."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fsar.evaluation.predictions import episode_accuracies
from fsar.evaluation.statistics import mean_and_interval
from fsar.files import atomic
from fsar.model.methods import METHODS
from fsar.results.published import published_result

COLUMNS = [
    "benchmark",
    "backbone",
    "method",
    "way",
    "shot",
    "accuracy",  # percent
    "interval",  # half-width of the 95 % confidence interval, percent
    "episodes",
    "seeds",  # of training, joined by spaces
    "selection",  # the split the checkpoint was chosen on
    "published",  # percent; empty where nothing is published
    "source",  # of the published accuracy
]


@dataclass(frozen=True)
class Setting:
    """One row of the table and the files it comes from."""

    benchmark: str
    backbone: str
    published_backbone: str
    method: str
    way: int
    shot: int
    seeds: Sequence[int]
    predictions: Sequence[str]  # one file per seed


def table_row(setting: Setting) -> dict[str, object]:
    """Summarise one setting: the mean over its episodes, each averaged over the seeds first."""
    accuracies = 100 * np.mean([episode_accuracies(Path(path)) for path in setting.predictions], axis=0)
    accuracy, interval = mean_and_interval(accuracies)
    method = METHODS[setting.method]
    published = published_result(
        method.published_as, setting.published_backbone, setting.benchmark, setting.way, setting.shot
    )
    return {
        "benchmark": setting.benchmark,
        "backbone": setting.backbone,
        "method": method.title,
        "way": setting.way,
        "shot": setting.shot,
        "accuracy": f"{accuracy:.2f}",
        "interval": f"{interval:.2f}",
        "episodes": len(accuracies),
        "seeds": " ".join(map(str, setting.seeds)) if method.fine_tuned else "",
        "selection": "val" if method.fine_tuned else "not trained",
        "published": f"{published[0]:.1f}" if published else "",
        "source": published[1] if published else "",
    }


def write_tables(settings: Sequence[Setting], csv: Path, markdown: Path) -> None:
    """Write the table of all settings as CSV and as Markdown."""
    table = pd.DataFrame([table_row(setting) for setting in settings], columns=COLUMNS)
    with atomic(csv) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    shown = table.assign(accuracy=table["accuracy"] + " ± " + table["interval"]).drop(columns="interval")
    with atomic(markdown) as temporary:
        temporary.write_text(shown.to_markdown(index=False, disable_numparse=True) + "\n", encoding="utf-8")
