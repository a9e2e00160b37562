"""How the files of a published data set are found and named: a record, filled in by the module of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fsar.benchmarks.data_sets import DataSet
from fsar.sources.split_lists import Entry, read_split_lists

# The path of an entry's file, or None where there is none.
Find = Callable[[Entry], str | None]


@dataclass(frozen=True)
class Files:
    """The files of a published data set.

    Attributes:
        of: the data set.
        find: takes its inventory (`fsar.sources.inventory`) and returns a function: entry of a split list → its file.
        lists: the files below its folder that list a benchmark's videos, if no split lists are fetched.
        entries: reads a benchmark's lists.
        annotations: the files below its folder that name its classes, if split lists do not.
        templates: reads the classes from those, by what they know a video by.
        annotated: what that is of an entry: its id, if nothing else is said.
        group: names the film or recording that an entry's video is a part of; empty if it is one by itself.
    """

    of: DataSet
    find: Callable[[pd.DataFrame], Find]
    lists: Callable[[str, Path], list[Path]] | None = None
    entries: Callable[[Sequence[Path]], list[Entry]] = read_split_lists
    annotations: Callable[[Path], list[Path]] = lambda folder: []
    templates: Callable[[Iterable[Path]], dict[str, str]] = lambda annotations: {}
    annotated: Callable[[Entry], str] = lambda entry: entry.file
    group: Callable[[Entry], str] = lambda entry: ""


def by_stem(inventory: pd.DataFrame) -> Find:
    """Find a file by its name without suffix, in whichever folder: the lists have nothing else."""
    paths = {Path(file).stem: path for file, path in zip(inventory["file"], inventory["path"], strict=True)}
    return lambda entry: paths.get(entry.file)


def by_folder_and_file(inventory: pd.DataFrame) -> Find:
    """Find a file by its class folder and file name, as the split list has them.

    In another folder it is found by its file name alone, ignoring case: the zip of UCF101
    has one folder for all classes, and writes HandstandPushups where the list has HandStandPushups.
    """
    paths = dict(zip(zip(inventory["folder"], inventory["file"], strict=True), inventory["path"], strict=True))
    names = inventory["file"].str.casefold()
    once = ~names.duplicated(keep=False)
    by_name = dict(zip(names[once], inventory["path"][once], strict=True))
    return lambda entry: paths.get((entry.folder, entry.file)) or by_name.get(entry.file.casefold())
