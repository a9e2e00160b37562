"""The published benchmarks: joins split lists and existing files into a list of videos like a user's own."""

import csv
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pandas as pd

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.benchmarks.splits import SPLITS, split_lists
from fsar.errors import UserError
from fsar.files import atomic_csv, on_disk, read_parquet, sha256_of
from fsar.lists import lines_of
from fsar.sources.data_set import Find
from fsar.sources.data_sets import FILES
from fsar.sources.is_video import is_usual, is_video, suffix_of
from fsar.sources.schemas import INVENTORY_SCHEMA
from fsar.sources.split_lists import Entry, class_name

log = logging.getLogger(__name__)


def list_videos(
    benchmark: str,
    entries: Sequence[Entry],
    inventory: Path,
    annotations: Sequence[Path],
    prompts: Literal["readable", "published"],
    needed: Mapping[str, int],
    listing: Path,
    missing: Path,
) -> None:
    """Write the list of a benchmark's videos, and the list of published videos that are missing.

    Args:
        benchmark: which one, such as hmdb51.
        entries: of its split lists.
        inventory: of the existing files.
        annotations: files that name the class of each video, if the lists do not.
        prompts: how class names are written.
        needed: by split, how many videos each class needs for the configured episodes.
        listing: CSV to write, with the columns of a user's own list, `id`, the name in the split list, and `group`.
        missing: CSV to write, the same without a path.

    Raises:
        UserError: the lists are not the published ones, or a class is too small or has no name.
    """
    _check_counts(benchmark, entries)
    files = read_parquet(inventory, INVENTORY_SCHEMA)
    names = _class_names(benchmark, entries, annotations, prompts)
    rows, absent = [], []
    for entry, path in present_videos(benchmark, entries, files):
        name = names[entry.split, entry.class_number]
        if path is None:
            absent.append((entry.video, name, entry.split))
        else:
            group = FILES[PUBLISHED[benchmark].name].group(entry)
            rows.append((_from(listing.parent, path), name, entry.split, entry.video, group))
    _check_classes(benchmark, entries, names, absent, needed)
    if absent:
        log.warning("%d of %d published videos of %s are not there", len(absent), len(entries), benchmark)
    _write(listing, ("path", "class", "split", "id", "group"), rows)
    _write(missing, ("id", "class", "split"), absent)


def read_entries(benchmark: str, lists: Sequence[Path]) -> list[Entry]:
    """Read a benchmark's lists: split lists, which were checked when they were fetched, or those that a user brings.

    Raises:
        UserError: a list cannot be read, or is not the published one.
    """
    files = FILES[PUBLISHED[benchmark].name]
    if files.lists:
        known = split_lists().query("benchmark == @benchmark").set_index("path")["sha256"].to_dict()
        for path in lists:
            if (pinned := known.get(path.name)) and sha256_of(path) != pinned:
                raise UserError(
                    f"{path} is not the list that figures of {benchmark} are of: its SHA-256 is not {pinned}"
                )
    return files.entries(lists)


def present_videos(benchmark: str, entries: Sequence[Entry], files: pd.DataFrame) -> list[tuple[Entry, str | None]]:
    """Return the file of each entry of a benchmark's split lists, or None if it is missing.

    A file is opened only if it has no video suffix and its entry has no other file.
    """
    find = FILES[PUBLISHED[benchmark].name].find
    usual = files["file"].map(is_usual).astype(bool)
    others = [find(own) for _, own in files[~usual].groupby(files["file"].map(suffix_of))]
    find_usual = find(files[usual])
    return [(entry, find_usual(entry) or _look_for(entry, others)) for entry in entries]


def _look_for(entry: Entry, others: Sequence[Find]) -> str | None:
    for find in others:
        with suppress(OSError):
            if (path := find(entry)) and is_video(on_disk(path)):
                return path
    return None


def _check_counts(benchmark: str, entries: Sequence[Entry]) -> None:
    table = split_lists().query("benchmark == @benchmark").set_index("split")
    for split in SPLITS if len(table) else ():  # of a list that is not pinned nothing is known
        own = [entry.class_number for entry in entries if entry.split == split]
        found, published = (len(own), len(set(own))), (table.videos[split], table.classes[split])
        if found != published:
            raise UserError(f"The {split} list of {benchmark} has (videos, classes) {found}, published are {published}")


def _class_names(
    benchmark: str, entries: Sequence[Entry], annotations: Sequence[Path], prompts: str
) -> dict[tuple[str, int], str]:
    """Return the name of each class: of its folder, or the template that its videos are annotated with."""
    data_set = PUBLISHED[benchmark]
    templates, annotated = FILES[data_set.name].templates(annotations), FILES[data_set.name].annotated
    prompted = data_set.published_prompts if prompts == "published" else {}
    found: dict[tuple[str, int], Counter[str]] = {}
    for entry in entries:
        name = class_name(entry.folder) if entry.folder else templates.get(annotated(entry), "")
        found.setdefault((entry.split, entry.class_number), Counter())[prompted.get(name, name)] += 1
    for (split, number), names in found.items():
        if len(names) > 1 or "" in names:
            raise UserError(
                f"Class {number} of the {split} list has videos of {len(names)} classes, "
                f"{', '.join(map(repr, names))}: the annotations do not belong to these lists"
            )
    return {place: next(iter(names)) for place, names in found.items()}


def _check_classes(
    benchmark: str,
    entries: Sequence[Entry],
    names: Mapping[tuple[str, int], str],
    absent: Sequence[tuple[str, str, str]],
    needed: Mapping[str, int],
) -> None:
    """Refuse classes with too few videos for an episode."""
    published = Counter((entry.split, names[entry.split, entry.class_number]) for entry in entries)
    lost = Counter((split, name) for _, name, split in absent)
    problems = [
        f"{name} ({split}): {count - lost[split, name]} of {count} are there, {needed[split]} are needed"
        for (split, name), count in published.items()
        if count - lost[split, name] < needed[split]
    ]
    if problems:
        raise UserError(
            f"Classes of {benchmark} have too few videos for the configured shots and queries:\n" + lines_of(problems)
        )


def _from(folder: Path, path: str) -> str:
    """Return a path relative to a folder, as in lists of videos; one outside the working directory stays absolute."""
    return path if Path(path).is_absolute() else os.path.relpath(path, folder)


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with atomic_csv(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
