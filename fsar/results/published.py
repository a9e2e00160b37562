"""Accuracies printed in papers, with their sources."""

from functools import cache
from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).with_name("published.csv")
KEYS = ["method", "backbone", "benchmark", "way", "shot"]


@cache
def published_results() -> pd.DataFrame:
    """Return the published accuracies in percent, with the columns of `KEYS`, accuracy and source.

    Where several papers print the same setting, the paper of CLIP-FSAR comes first.
    """
    return pd.read_csv(PUBLISHED)


def published_result(method: str, backbone: str, benchmark: str, way: int, shot: int) -> tuple[float, str] | None:
    """Return the published accuracy of one setting in percent and its source, or None if there is none."""
    table = published_results()
    wanted = dict(zip(KEYS, (method, backbone, benchmark, way, shot), strict=True))
    for key, value in wanted.items():
        table = table[table[key] == value]
    if table.empty:
        return None
    return float(table["accuracy"].iloc[0]), str(table["source"].iloc[0])
