"""The comparison table: what was measured, with its interval, beside what was published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsar.evaluation.predictions import episode_accuracies
from fsar.evaluation.statistics import mean_and_interval
from fsar.files import atomic
from fsar.results.published import published_result

COLUMNS = [
    "benchmark",
    "backbone",
    "method",
    "way",
    "shot",
    "accuracy",  # percent
    "interval",  # half-width of the 95 % confidence interval over episodes, percent
    "over_seeds",  # the same over training seeds; empty with one seed
    "episodes",
    "seeds",  # of training, joined by spaces
    "selection",  # the split the weights were chosen on; given (from elsewhere); not trained
    "videos",  # used of the benchmark's listed ones; the others are missing or cannot be decoded
    "published",  # percent; empty where nothing is published
    "source",  # of the published accuracy
]


@dataclass(frozen=True)
class Setting:
    """One row of the table and the files it comes from."""

    benchmark: str
    backbone: str
    key: str  # of the method, in the config
    method: str  # its title
    way: int
    shot: int
    seeds: Sequence[int]
    selection: str  # the split the weights were chosen on, "given" or "not trained"
    predictions: Sequence[str]  # one file per seed
    counts: str  # file of the benchmark's numbers of videos
    base: str  # the benchmark whose data it uses; another one for a variant
    frames: int  # T
    depth: int  # of the temporal transformer
    published_as: Mapping[str, str]  # names of method and backbone in the published results

    def accuracies(self) -> NDArray[np.float64]:
        """Return the accuracy of each episode in percent, averaged over the seeds: (E,)."""
        return np.mean([100 * episode_accuracies(Path(path)) for path in self.predictions], axis=0)


def over_seeds(setting: Setting) -> str:
    """Return the half-width of the 95 % interval over the means of several seeds, in percent; empty with one."""
    if len(setting.predictions) < 2:
        return ""
    means = np.array([100 * episode_accuracies(Path(path)).mean() for path in setting.predictions])
    return f"{mean_and_interval(means)[1]:.2f}"


def table_row(setting: Setting) -> dict[str, object]:
    """Summarise one setting: the mean over its episodes, each averaged over the seeds first."""
    accuracies = setting.accuracies()
    accuracy, interval = mean_and_interval(accuracies)
    videos = json.loads(Path(setting.counts).read_text(encoding="utf-8"))
    published = published_result(
        setting.published_as["method"], setting.published_as["backbone"], setting.benchmark, setting.way, setting.shot
    )
    return {
        "benchmark": setting.benchmark,
        "backbone": setting.backbone,
        "method": setting.method,
        "way": setting.way,
        "shot": setting.shot,
        "accuracy": f"{accuracy:.2f}",
        "interval": f"{interval:.2f}",
        "over_seeds": over_seeds(setting),
        "episodes": len(accuracies),
        "seeds": " ".join(map(str, setting.seeds)) if setting.selection == "val" else "",
        "selection": setting.selection,
        "videos": f"{videos['used']} of {videos['listed']}",
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
