"""Confidence intervals of means."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
DRAWS = 2000  # of a bootstrap; the half-width of the interval then varies by about 2 % between seeds


def mean_and_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % confidence interval (Student's t).

    Args:
        values: (E,) independent observations, at least two.
    """
    error = float(stats.sem(values))
    return float(np.mean(values)), error * float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))


def interval_over_videos(asked: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """Return the half-width of the 95 % interval of an accuracy over query videos, in percent.

    Queries of one video are not independent, so videos are drawn, each with all its queries (a bootstrap of clusters,
    percentiles; Efron and Tibshirani, 1993): each test video counts once, however often it was a query.

    Args:
        asked: (V,) how often each video was a query.
        right: (V,) how often it was classified correctly.

    Returns:
        Half of the distance between the percentiles; NaN with a single video.
    """
    if len(asked) < 2:
        return float("nan")
    low, high = np.quantile(accuracies_over_videos(asked, right), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(high - low) / 2


def accuracies_over_videos(
    asked: NDArray[np.int64], right: NDArray[np.int64] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the accuracies, in percent, of bootstrap draws of the query videos, as in `interval_over_videos`.

    Args:
        asked: (V,) how often each video was a query.
        right: (V,) or (V, K) how often it was classified correctly, by each of K methods, which share the draws.

    Returns:
        (draws,) or (draws, K).
    """
    rng = np.random.default_rng(0)  # fixed, so that the same predictions give the same interval
    times = rng.multinomial(len(asked), np.full(len(asked), 1 / len(asked)), size=DRAWS)  # (draws, V)
    return 100 * ((times @ right).T / (times @ asked)).T
