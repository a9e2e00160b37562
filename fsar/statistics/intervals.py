"""Confidence intervals of means and of shares, and p-values of several comparisons at once."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

CONFIDENCE = 0.95
POWER = 0.8

Values = NDArray[np.float64]


def mean_and_interval(values: Values) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % confidence interval (Student's t).

    Args:
        values: (E,) independent observations, at least two.
    """
    error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return float(np.mean(values)), error * float(quantile(len(values) - 1))


def quantile(freedom: float | Values) -> Values:
    """Return how many standard errors a 95 % interval reaches to either side (Student's t)."""
    return np.asarray(special.stdtrit(freedom, (1 + CONFIDENCE) / 2))


def interval_of_share(share: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` observations (Wilson, 1927), low and high."""
    z = float(special.ndtri((1 + CONFIDENCE) / 2))
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return float(middle - half), float(middle + half)


def interval_of_clusters(asked: NDArray[np.int64], right: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of a share of queries that come in clusters, low and high, from 0 to 1.

    Queries of one source are not independent. They count as many as independent ones would for the variance of the
    ratio of sums (Cochran, Sampling Techniques, 1977, eq. 6.13), at most as many as there are sources; then Wilson's
    interval, which is no single point where all are right.

    Args:
        asked: (G,) queries of each source.
        right: (G,) how many of them were right.
    """
    total, share, sources = asked.sum(), right.sum() / asked.sum(), len(asked)
    variance = np.square(right - share * asked).sum() / total**2
    count = min(sources, share * (1 - share) / variance) if variance > 0 else sources
    return interval_of_share(float(share), float(count))


def holm(p: Values) -> Values:
    """Return p-values corrected for their number (Holm, Scand. J. Statist. 1979).

    Args:
        p: (n,) of n comparisons; one that is unknown (NaN) counts as a comparison and stays unknown.
    """
    known = np.where(np.isnan(p), 1, p)
    order = np.argsort(known, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(known[order] * np.arange(len(p), 0, -1)))
    return np.where(np.isnan(p), np.nan, corrected)
