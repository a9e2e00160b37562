"""The names of the splits, and the published split lists, pinned by checksum."""

from functools import cache
from pathlib import Path

import pandas as pd

SPLITS = ("train", "val", "test")
SPLIT_LISTS = Path(__file__).with_name("split_lists.csv")


@cache
def split_lists() -> pd.DataFrame:
    """Return a table of the split lists: benchmark, split, path, videos, classes, smallest_class, sha256."""
    return pd.read_csv(SPLIT_LISTS)
