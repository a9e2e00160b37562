"""Puts the records of several runs into one table, where they answer the same question; ranks by what is sure."""

from collections.abc import Mapping, Sequence
from math import hypot
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from fsar.errors import UserError
from fsar.files import atomic, atomic_csv
from fsar.records.fields import Record
from fsar.records.page import write_records_page


class Received(NamedTuple):
    """A record and the file it came in."""

    record: Record
    file: str


def merge_records(files: Mapping[str, Sequence[Record]], folder: Path) -> int:
    """Write table.csv, table.md and index.html of all records, the most accurate of each question first.

    Args:
        files: records by the name of their file. What is in two files alike stands once, as the first one's.
        folder: to write into.

    Returns:
        The number of rows.

    Raises:
        UserError: records of one benchmark, way and shot are of other lists or test episodes, or backbones of one name
            have other weights; names both files, and what to do.
    """
    first: dict[str, Received] = {}
    for file, records in files.items():
        for record in records:
            first.setdefault(record.model_dump_json(), Received(record, file))
    received = sorted(
        first.values(), key=lambda one: (*one.record.question, -one.record.accuracy, one.record.called, one.file)
    )
    if not received:
        raise UserError(f"There is no record in {', '.join(files)}")
    _check_comparable(received)
    table = table_of(received)
    with atomic_csv(folder / "table.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    with atomic(folder / "table.md") as temporary:
        temporary.write_text(table.to_markdown(index=False, disable_numparse=True) + "\n", encoding="utf-8")
    write_records_page(table, list(files), folder / "index.html")
    return len(table)


# What must be the same, and what to do where it is not.
OTHERS = {
    "lists": (
        "lists of videos",
        "Compare the `lists` of both: make one run again with the split lists of the other, or give its benchmark "
        "another name",
    ),
    "domains": (
        "training classes",
        "Give one of the benchmarks another name in its config, and make its records again",
    ),
    "episodes": (
        "test episodes",
        "These follow from `seed`, `episodes`, way, shot and the videos that can be decoded (`videos.used`): make one "
        "run again with those of the other, or merge files of other ways and shots",
    ),
    "weights": (
        "pretrained weights",
        "Give one of the backbones another name in its config, and make its records again",
    ),
}


def _check_comparable(received: Sequence[Received]) -> None:
    """Check that accuracies side by side are of the same videos and episodes, and a backbone's name of one backbone."""
    first: dict[tuple[str, str], Received] = {}
    for one in received:
        name, way, shot = one.record.question
        backbone = f"the backbone {one.record.backbone.name}"
        episodes = f"{name}, {way}-way {shot}-shot"
        for place, field in ((name, "lists"), (name, "domains"), (episodes, "episodes"), (backbone, "weights")):
            other = first.setdefault((place, field), one)
            then, now = (_identity(own.record, field) for own in (other, one))
            if then != now:
                what, remedy = OTHERS[field]
                raise UserError(
                    f"{place}: {other.file} and {one.file} cannot be compared, because they are of other {what}: "
                    f"{then} in {other.file}, {now} in {one.file}. {remedy}."
                )


def _identity(record: Record, field: str) -> str:
    """Return what tells whether two records are of the same, as a message has it."""
    if field == "domains":
        removed = ", ".join(record.benchmark.removed) or "no class"
        return f"{record.benchmark.trained_on or record.benchmark.name} without {removed}"
    if field != "weights":
        return f"{getattr(record.benchmark, field)[:16]}…"
    about = record.backbone
    return " ".join(filter(None, (about.library, about.model, about.weights, about.checksum)))


def table_of(received: Sequence[Received]) -> pd.DataFrame:
    """Return the table, a row per record, all cells as text; numbers as in results/table.csv."""
    names = list(dict.fromkeys(name for one in received for name in one.record.intervals))
    ranks = _ranks(received)
    return pd.DataFrame([_row(one, rank, names) for one, rank in zip(received, ranks, strict=True)])


def _row(one: Received, rank: str, names: Sequence[str]) -> dict[str, Any]:
    record = one.record
    intervals = {name: f"{record.intervals[name]:.2f}" if name in record.intervals else "" for name in names}
    return {
        "benchmark": record.benchmark.name,
        "way": str(record.way),
        "shot": str(record.shot),
        "rank": rank,
        "method": record.method.title,
        "backbone": record.backbone.name,
        "accuracy": f"{record.accuracy:.2f}",
        **intervals,
        "episodes": str(record.episodes),
        "test_videos": str(record.videos.test),
        "seeds": " ".join(map(str, record.seeds)),
        "selection": record.selection,
        "trained_on": record.benchmark.trained_on or "",
        "tested_on": record.benchmark.tested_on or "",
        "classes_removed": str(len(record.benchmark.removed)) if record.benchmark.removed else "",
        "inductive": "yes" if record.method.inductive else "no",
        "saw": saw_as_text(record),
        "fsar": record.code.fsar,
        "code": record.code.checksum,
        "from": one.file,
    }


def saw_as_text(record: Record) -> str:
    """Say what the backbone's pretraining saw, and whether videos of this benchmark were among it."""
    said = []
    for name, benchmarks in record.backbone.saw.items():
        known = "not known whether these videos" if benchmarks is None else ""
        if benchmarks and record.benchmark.name in benchmarks:
            known = "has these videos"
        said.append(f"{name} ({known})" if known else name)
    return "; ".join(said) or "not stated"


def _ranks(received: Sequence[Received]) -> list[str]:
    """Return the ranks that each record may have among those of its question: `1`, or `1-3` where it is not sure.

    Two records are told apart if their accuracies differ by more than both half-widths, squared and added. That takes
    them as independent; paired differences, which the runs' own statistics have, are surer.
    """
    ranks = []
    for one in received:
        others = [other.record for other in received if other.record.question == one.record.question]
        apart = [other for other in others if _told_apart(one.record, other)]
        better = sum(other.accuracy > one.record.accuracy for other in apart)
        first, last = 1 + better, len(others) - (len(apart) - better)
        ranks.append(str(first) if first == last else f"{first}-{last}")
    return ranks


def _told_apart(one: Record, other: Record) -> bool:
    widest = hypot(max(one.intervals.values(), default=0), max(other.intervals.values(), default=0))
    return abs(one.accuracy - other.accuracy) > widest
