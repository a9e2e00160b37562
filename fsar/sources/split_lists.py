"""Reading the published split lists: which videos of a benchmark are in which split."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fsar.benchmarks.splits import SPLITS
from fsar.errors import UserError


@dataclass(frozen=True)
class Entry:
    """A line of a split list.

    Attributes:
        video: as written in the list: a path below the data set's folder, or an id.
        split: train, val or test.
        class_number: of the class in its split.
    """

    video: str
    split: str
    class_number: int

    @property
    def folder(self) -> str:
        """The class's folder, if the list names one."""
        return self.video.split("/")[-2] if "/" in self.video else ""

    @property
    def file(self) -> str:
        """The last part of the path."""
        return self.video.rsplit("/", 1)[-1]


def read_split_lists(paths: Sequence[Path]) -> list[Entry]:
    """Read the three lists of a benchmark, train, val and test.

    Raises:
        UserError: a line is not of the form `{split}{class}//{path}` or `{split}{class}/{id}`; names it.
    """
    entries = []
    for split, path in zip(SPLITS, paths, strict=True):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = re.fullmatch(r"(train|val|test)(\d+)//?(.+)", line.strip())
            if match is None or match[1] != split:
                raise UserError(f"{path}, line {number}: {line!r} is not an entry of a {split} list")
            entries.append(Entry(match[3], split, int(match[2])))
    return entries


def class_name(folder: str) -> str:
    """Return a class's name in words: `brush_hair` → brush hair, `ApplyEyeMakeup` → Apply Eye Makeup."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", folder).replace("_", " ")
