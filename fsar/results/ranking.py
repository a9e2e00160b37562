"""Which methods belong together in a ranking, and ranks over several benchmarks."""

from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from fsar.statistics.intervals import CONFIDENCE

Matrix = NDArray[np.float64]


def groups(apart: NDArray[np.bool_]) -> list[list[int]]:
    """Return every largest set of methods of which no two are told apart, without those of one method alone.

    Two methods are in a common set if and only if they are not told apart (Piepho, J. Comput. Graph. Stat. 2004:
    insert and absorb).

    Args:
        apart: (K, K), symmetric.
    """
    found = [frozenset(range(len(apart)))]
    for pair in combinations(range(len(apart)), 2):
        if apart[pair]:
            parts = {group - {one} for group in found if group.issuperset(pair) for one in pair}
            parts |= {group for group in found if not group.issuperset(pair)}
            found = [group for group in parts if not any(group < other for other in parts)]
    return sorted(sorted(group) for group in found if len(group) > 1)


def mean_ranks(accuracies: Matrix) -> tuple[Matrix, float, float]:
    """Rank methods on several benchmarks (Demšar, JMLR 2006).

    Args:
        accuracies: (B, K) of K methods on B benchmarks.

    Returns:
        The rank of each method on each benchmark, 1 for the best, ties shared: (B, K); the p-value of Friedman's test
        that methods do not differ at all; and the critical difference: mean ranks less than that apart are not told
        apart (Nemenyi's test, 95 % for all pairs together), nor are any where Friedman's test finds no difference.
    """
    from scipy import stats  # half a second, which figures of one benchmark do not need

    benchmarks, methods = accuracies.shape
    quantile = stats.studentized_range.ppf(CONFIDENCE, methods, np.inf) / sqrt(2)
    critical = float(quantile * sqrt(methods * (methods + 1) / (6 * benchmarks)))
    friedman = float(stats.friedmanchisquare(*accuracies.T).pvalue)
    return stats.rankdata(-accuracies, axis=1), friedman, critical
