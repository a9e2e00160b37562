"""The splits of a benchmark, and what is known of the published lists of them, pinned by checksum."""

from functools import cache
from pathlib import Path

import pandas as pd

SPLITS = ("train", "val", "test")
SPLIT_LISTS = Path(__file__).with_name("split_lists.csv")


@cache
def split_lists() -> pd.DataFrame:
    """Return what is known of the split lists: benchmark, split, path, videos, classes, smallest_class, sha256."""
    return pd.read_csv(SPLIT_LISTS)
