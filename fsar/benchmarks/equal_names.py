"""The classes of one published benchmark that have the name of a test class of another.

They follow from the pinned split lists, and are here because they decide which trainings a run has, which is known
before any list is fetched. Names are compared as `fsar.class_names.letters` does.
"""

from functools import cache
from pathlib import Path

import pandas as pd

EQUAL_NAMES = Path(__file__).with_name("equal_names.csv")


@cache
def _table() -> pd.DataFrame:
    return pd.read_csv(EQUAL_NAMES)


def equal_names(source: str, target: str) -> tuple[str, ...]:
    """Return the training and validation classes of a benchmark that are test classes of another, by their names.

    Args:
        source, target: two published benchmarks.
    """
    own = _table().query("source == @source and target == @target")
    return tuple(sorted(own["class_name"]))
