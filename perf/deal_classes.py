"""Deals the classes of a list of videos into train, val and test several times, and writes a list for each deal.

LIST is a CSV with the columns path and class, as in docs/data.md. A class whose rows have a split already, in the
column split, keeps it in every deal; the others are dealt at random. configs/motion_clips.yaml runs such lists.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fsar.benchmarks.splits import SPLITS
from fsar.errors import UserError
from perf.command import reader


def dealt(videos: pd.DataFrame, counts: dict[str, int], deal: int) -> pd.DataFrame:
    """Return the videos with a split for each class.

    Args:
        videos: columns path, class and, where some classes are not to be dealt, split; empty for the others.
        counts: classes to deal to each split.
        deal: its number; the same number and classes give the same deal.

    Raises:
        UserError: the counts are not those of the classes to deal: lists of one study have the same videos.
    """
    given = videos["split"] if "split" in videos else pd.Series("", index=videos.index)
    free = sorted(videos.loc[given == "", "class"].unique())
    if sum(counts.values()) != len(free):
        raise UserError(f"The list has {len(free)} classes without a split, and {sum(counts.values())} are to be dealt")
    drawn = np.random.default_rng(deal).permutation(np.array(free, dtype=object))
    splits = [split for split, count in counts.items() for _ in range(count)]
    of = dict(zip(drawn, splits, strict=True))
    return videos.assign(split=given.where(given != "", videos["class"].map(of)))


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("deal_classes", __doc__)
    whole.add_argument("list", type=Path, metavar="LIST")
    whole.add_argument("folder", type=Path, metavar="FOLDER", help="where deal-1.csv, deal-2.csv, … are written")
    for split in SPLITS:
        whole.add_argument(f"--{split}", type=int, default=0, metavar="CLASSES", help="default: %(default)s")
    whole.add_argument("--deals", type=int, default=5, help="default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the lists; their paths are absolute."""
    own = parser().parse_args(arguments)
    videos = pd.read_csv(own.list, dtype=str, keep_default_na=False)
    videos["path"] = [str((own.list.parent / path).resolve()) for path in videos["path"]]
    own.folder.mkdir(parents=True, exist_ok=True)
    for deal in range(1, own.deals + 1):
        path = own.folder / f"deal-{deal}.csv"
        dealt(videos, {split: getattr(own, split) for split in SPLITS}, deal).to_csv(path, index=False)
        print(path)


if __name__ == "__main__":
    main()
