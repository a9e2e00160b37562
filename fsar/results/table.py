"""The comparison table: what was measured, with its interval, beside what was published."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fsar.evaluation.predictions import text_weight_of
from fsar.files import atomic, atomic_csv, read_json
from fsar.results.comparisons import Comparison, compare_all
from fsar.results.covers import covered, is_interval
from fsar.results.published import FOOTNOTE, MARK, published_result
from fsar.results.setting import Setting, way_in_a_cell

COLUMNS = [
    "benchmark",
    "backbone",
    "method",
    "inductive",  # yes: the label of a query does not depend on the other queries of its episode; or no
    "seen",  # yes: videos of the benchmark were in the backbone's pretraining; or no; empty where that is not known
    "way",
    "every_class",  # yes: these are all test classes, and that was asked for; else empty
    "shot",
    "accuracy",  # percent
    "interval",  # half-width of the 95 % confidence interval over episodes, percent
    "over_videos",  # the same over the draw of the test videos, queries and supports; empty where it cannot be told
    "few_sources",  # yes: few sources of test videos carry it, and it is rather too short (docs/results.md); else empty
    "over_seeds",  # the same over training seeds; empty with one seed
    "over_draws",  # the same over draws of the test videos' frames (`sampling.views`); empty with one
    "leading",  # yes: the best with its backbone, or not told apart from it over the test videos; else empty
    "episodes",
    "seeds",  # of training, joined by spaces
    # The split that chose the weights, and the weight of class names where it did; given (from elsewhere); not trained.
    "selection",
    "trained_on",  # where that is another benchmark than is tested; else empty
    "tested_on",  # the same
    "classes_removed",  # training and validation classes that are left out, by number; else empty
    "videos",  # used of the benchmark's listed ones; the others are missing or cannot be decoded
    "published",  # percent; empty where nothing is published
    "published_quoted",  # yes: the published accuracy is second-hand; else empty
    "source",  # of the published accuracy
]

EXPLAINED = (
    "±: half-width of the 95 % interval of the accuracy, in percent: over other episodes of the same videos, as papers "
    "print it; over other test videos of the same classes; over other trainings; over other draws of the frames."
)

FEW_SOURCES = (
    "few sources: a class's test videos come from no more sources than an episode has videos of it. So few say little "
    "of others, and the interval over test videos is rather too short."
)


SEEN = (
    "seen: the backbone's pretraining saw videos of this benchmark, so its accuracy is no measure of what it would be "
    "on new ones."
)


def table_rows(settings: Sequence[Setting]) -> list[dict[str, object]]:
    """Summarise settings: of each, the mean over its episodes, each averaged over the seeds first."""
    rows = {
        id(setting): _row(setting, found, number)
        for found in compare_all(settings).values()
        for number, setting in enumerate(found.settings)
    }
    return [rows[id(setting)] for setting in settings]


def _row(setting: Setting, found: Comparison, number: int) -> dict[str, object]:
    """Return one row: of the setting with this number in its test."""
    videos = read_json(setting.counts)
    published = published_result(
        setting.published_method, setting.published_backbone, setting.benchmark, setting.way, setting.shot
    )
    return {
        "benchmark": setting.benchmark,
        "backbone": setting.backbone,
        "method": setting.title,
        "inductive": "yes" if setting.inductive else "no",
        "seen": setting.seen,
        "way": setting.way,
        "every_class": "yes" if setting.every_class else "",
        "shot": setting.shot,
        "accuracy": f"{found.accuracies[number]:.2f}",
        "interval": f"{found.over_episodes[number]:.2f}",
        "over_videos": rounded(found.over_videos[number], 2),
        "few_sources": "yes" if found.few_sources else "",
        "over_seeds": rounded(found.over_seeds[number], 2),
        "over_draws": rounded(found.over_draws[number], 2),
        "leading": "yes" if found.leading[number] else "",
        "episodes": len(found.measured[number].episodes),
        "seeds": " ".join(map(str, setting.seeds)),
        "selection": _selection(setting),
        "trained_on": setting.trained_on,
        "tested_on": setting.base if setting.trained_on else "",
        "classes_removed": str(len(setting.removed)) if setting.trained_on or setting.removed else "",
        "videos": f"{videos['used']} of {videos['listed']}",
        "published": f"{published.accuracy:.1f}" if published else "",
        "published_quoted": "yes" if published and published.quoted else "",
        "source": published.source if published else "",
    }


def _selection(setting: Setting) -> str:
    """Return what the weights were chosen on, and the weights of class names that it chose, of each training."""
    weights = (text_weight_of(path, setting.shot) for path in setting.predictions)
    chosen = " and ".join(f"{weight:.2f}" for weight in weights if weight is not None)
    return setting.selection + (f" (text weight {chosen})" if chosen else "")


def rounded(value: float, places: int) -> str:
    """Return a number as text; nothing where it is unknown."""
    return "" if np.isnan(value) else f"{value:.{places}f}"


def write_tables(settings: Sequence[Setting], csv: Path, markdown: Path, missing: Sequence[Setting] = ()) -> None:
    """Write the table of all settings as CSV and as Markdown.

    Args:
        settings: the rows.
        csv, markdown: files to write.
        missing: settings that were asked for and could not be made; the Markdown ends with their names.
    """
    table = pd.DataFrame(table_rows(settings), columns=COLUMNS)
    with atomic_csv(csv) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    marks = table["published_quoted"].map({"yes": f" {MARK}", "": ""})
    ways = [way_in_a_cell(way, every == "yes") for way, every in zip(table["way"], table["every_class"], strict=True)]
    shown = table.assign(published=table["published"] + marks, way=ways)
    shown = shown.drop(columns=["published_quoted", "every_class"])
    sometimes = ["few_sources", "trained_on", "tested_on", "classes_removed"]
    shown = shown.drop(columns=[name for name in sometimes if not table[name].astype(bool).any()])
    if not (table["seen"] == "yes").any():
        shown = shown.drop(columns="seen")
    shown = shown.rename(columns={name: f"± {covered(name).heading}" for name in COLUMNS if is_interval(name)})
    text = shown.to_markdown(index=False, disable_numparse=True) + f"\n\n{EXPLAINED}\n"
    if (table["few_sources"] == "yes").any():
        text += f"\n{FEW_SOURCES}\n"
    if (table["seen"] == "yes").any():
        text += f"\n{SEEN}\n"
    if (table["published_quoted"] == "yes").any():
        text += f"\n{FOOTNOTE}\n"
    for told in dict.fromkeys(f"{setting.benchmark}: {setting.domains}." for setting in settings if setting.domains):
        text += f"\n{told}\n"
    if missing:
        text += "\nThis table is not complete. These settings were asked for and could not be made:\n\n"
        text += "".join(f"- {s.benchmark}, {s.backbone}, {s.title}, {s.test}\n" for s in missing)
    with atomic(markdown) as temporary:
        temporary.write_text(text, encoding="utf-8")
