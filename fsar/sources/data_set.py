"""How the files of a published data set are found and named: a record, filled in by the module of each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fsar.benchmarks.data_sets import DataSet
from fsar.sources.split_lists import Entry

# The path of an entry's file, or None where there is none.
Find = Callable[[Entry], str | None]


@dataclass(frozen=True)
class Files:
    """The files of a published data set.

    Attributes:
        of: the data set.
        find: takes its inventory (`fsar.sources.inventory`) and returns a function: entry of a split list → its file.
        annotations: the files below its folder that name its classes, if split lists do not.
        templates: reads the class of each video id from those.
        group: names the film or recording that an entry's video is a part of; empty if it is one by itself.
    """

    of: DataSet
    find: Callable[[pd.DataFrame], Find]
    annotations: Callable[[Path], list[Path]] = lambda folder: []
    templates: Callable[[Iterable[Path]], dict[str, str]] = lambda annotations: {}
    group: Callable[[Entry], str] = lambda entry: ""


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
