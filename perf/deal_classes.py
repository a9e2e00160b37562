"""Deals the classes of a list of videos several times, and writes lists to train and to test on.

LIST is a CSV with the columns path and class, as in docs/data.md. all.csv has all its classes, to train on; deal-1.csv,
deal-2.csv, … have some of them each, to test on, which a run leaves out of its training (docs/domains.md). A class
whose rows have a split already, in the column split, keeps it in all.csv and is not dealt, such as those to validate
on. configs/motion_clips.yaml runs such lists.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fsar.errors import UserError
from perf.command import reader


def dealt(classes: Sequence[str], test: int, deal: int) -> list[str]:
    """Return the classes to test on: a random few; the same number of a deal and classes give the same.

    Raises:
        UserError: there are not more classes than those to test on.
    """
    if test >= len(classes):
        raise UserError(f"The list has {len(classes)} classes without a split: too few to test on {test} of them")
    return [
        str(name) for name in np.random.default_rng(deal).permutation(np.array(sorted(classes), dtype=object))[-test:]
    ]


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("deal_classes", __doc__)
    whole.add_argument("list", type=Path, metavar="LIST")
    whole.add_argument("folder", type=Path, metavar="FOLDER", help="where the lists are written")
    whole.add_argument("--test", type=int, required=True, metavar="CLASSES", help="to test on, in each deal")
    whole.add_argument("--deals", type=int, default=5, help="default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the lists; their paths are absolute."""
    own = parser().parse_args(arguments)
    videos = pd.read_csv(own.list, dtype=str, keep_default_na=False)
    videos["path"] = [str((own.list.parent / path).resolve()) for path in videos["path"]]
    given = videos["split"] if "split" in videos else pd.Series("", index=videos.index)
    free = videos[given == ""]
    own.folder.mkdir(parents=True, exist_ok=True)
    lists = {"all": videos.assign(split=given.where(given != "", "train"))}
    for deal in range(1, own.deals + 1):
        tested = dealt(free["class"].unique().tolist(), own.test, deal)
        lists[f"deal-{deal}"] = free[free["class"].isin(tested)].assign(split="test")
    for name, rows in lists.items():
        rows.to_csv(own.folder / f"{name}.csv", index=False)
        print(own.folder / f"{name}.csv")


if __name__ == "__main__":
    main()
