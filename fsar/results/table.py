"""The comparison table: what was measured, with its interval, beside what was published."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fsar.evaluation.statistics import interval_over_videos, mean_and_interval
from fsar.files import atomic, atomic_csv, read_json
from fsar.results.accuracies import episode_accuracies, over_seeds, right_by_video
from fsar.results.published import FOOTNOTE, MARK, published_result
from fsar.results.setting import Setting

COLUMNS = [
    "benchmark",
    "backbone",
    "method",
    "inductive",  # yes: the label of a query does not depend on the other queries of its episode; or no
    "way",
    "shot",
    "accuracy",  # percent
    "interval",  # half-width of the 95 % confidence interval over episodes, percent
    "over_videos",  # the same over the draw of the test videos (a bootstrap), percent
    "over_seeds",  # the same over training seeds; empty with one seed
    "episodes",
    "seeds",  # of training, joined by spaces
    "selection",  # the split the weights were chosen on; given (from elsewhere); not trained
    "videos",  # used of the benchmark's listed ones; the others are missing or cannot be decoded
    "published",  # percent; empty where nothing is published
    "published_quoted",  # yes: the published accuracy is second-hand; else empty
    "source",  # of the published accuracy
]


def table_row(setting: Setting) -> dict[str, object]:
    """Summarise one setting: the mean over its episodes, each averaged over the seeds first."""
    accuracies = episode_accuracies(setting)
    by_video = right_by_video(setting)
    over_videos = interval_over_videos(by_video["queries"].to_numpy(), by_video["right"].to_numpy())
    accuracy, interval = mean_and_interval(accuracies)
    videos = read_json(setting.counts)
    published = published_result(
        setting.published_method, setting.published_backbone, setting.benchmark, setting.way, setting.shot
    )
    return {
        "benchmark": setting.benchmark,
        "backbone": setting.backbone,
        "method": setting.title,
        "inductive": "yes" if setting.inductive else "no",
        "way": setting.way,
        "shot": setting.shot,
        "accuracy": f"{accuracy:.2f}",
        "interval": f"{interval:.2f}",
        "over_videos": f"{over_videos:.2f}",
        "over_seeds": over_seeds(setting),
        "episodes": len(accuracies),
        "seeds": " ".join(map(str, setting.seeds)),
        "selection": setting.selection,
        "videos": f"{videos['used']} of {videos['listed']}",
        "published": f"{published.accuracy:.1f}" if published else "",
        "published_quoted": "yes" if published and published.quoted else "",
        "source": published.source if published else "",
    }


def write_tables(settings: Sequence[Setting], csv: Path, markdown: Path, missing: Sequence[Setting] = ()) -> None:
    """Write the table of all settings as CSV and as Markdown.

    Args:
        settings: the rows.
        csv, markdown: files to write.
        missing: settings that were asked for and could not be made; the Markdown ends with their names.
    """
    table = pd.DataFrame([table_row(setting) for setting in settings], columns=COLUMNS)
    with atomic_csv(csv) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    marks = table["published_quoted"].map({"yes": f" {MARK}", "": ""})
    shown = table.assign(accuracy=table["accuracy"] + " ± " + table["interval"], published=table["published"] + marks)
    shown = shown.drop(columns=["interval", "published_quoted"])
    text = shown.to_markdown(index=False, disable_numparse=True) + "\n"
    if (table["published_quoted"] == "yes").any():
        text += f"\n{FOOTNOTE}\n"
    if missing:
        text += "\nThis table is not complete. These settings were asked for and could not be made:\n\n"
        text += "".join(f"- {s.benchmark}, {s.backbone}, {s.title}, {s.way}-way {s.shot}-shot\n" for s in missing)
    with atomic(markdown) as temporary:
        temporary.write_text(text, encoding="utf-8")
