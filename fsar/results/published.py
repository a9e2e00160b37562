"""Accuracies printed in papers, with their sources."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

PUBLISHED = Path(__file__).with_name("published.csv")
KEYS = ["method", "backbone", "benchmark", "way", "shot"]
# What the source says of a number of another protocol, which stands beside no measured one (docs/domains.md).
OTHER = ", other protocol: "
# What the source says of a number that was not read in the paper itself, and how such a number is marked.
QUOTED, MARK = ", as quoted by ", "‡"
FOOTNOTE = f"{MARK} Second-hand: not read in the paper itself, but quoted from it elsewhere."


class Published(NamedTuple):
    """A published accuracy.

    Attributes:
        accuracy: in percent.
        source: the paper, and who quotes it if it was not read there.
        quoted: whether it is second-hand.
    """

    accuracy: float
    source: str
    quoted: bool


@cache
def published_results() -> pd.DataFrame:
    """Return the published accuracies in percent, with the columns of `KEYS`, accuracy, source and quoted.

    Those of another protocol are left out.

    Where several papers print the same setting, the paper of CLIP-FSAR comes first, and what is second-hand last.
    """
    table = pd.read_csv(PUBLISHED)
    table = table[~table["source"].str.contains(OTHER, regex=False)]
    return table.assign(quoted=table["source"].str.contains(QUOTED, regex=False))


def published_result(method: str, backbone: str, benchmark: str, way: int, shot: int) -> Published | None:
    """Return the published accuracy of one setting, or None if there is none."""
    table = published_results()
    wanted = dict(zip(KEYS, (method, backbone, benchmark, way, shot), strict=True))
    for key, value in wanted.items():
        table = table[table[key] == value]
    if table.empty:
        return None
    first = table.iloc[0]
    return Published(float(first["accuracy"]), str(first["source"]), bool(first["quoted"]))
