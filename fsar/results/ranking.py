"""Which methods a test tells apart, with every pair of them considered; ranks over several benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fsar.evaluation.statistics import CONFIDENCE, accuracies_over_videos
from fsar.results.accuracies import episode_accuracies, right_by_video, training_accuracies
from fsar.results.setting import Setting

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Differences:
    """The differences of every two of K methods and the half-widths of their intervals, in percentage points.

    Methods meet the same episodes, videos and training seeds, so differences are taken one by one. The intervals over
    episodes and over videos hold for all pairs together (Bonferroni): in 95 % of tests, all of them hold the truth. So
    they do for the pairs with a method that was picked because it came out best. That over seeds is for each pair by
    itself: with a handful of trainings, corrected ones would hold everything.

    Attributes:
        mean: (K, K) accuracy of the method in the row minus that of the method in the column.
        over_episodes: (K, K) with other episodes of the same videos (Student's t).
        over_videos: (K, K) with other test videos of the same classes (a bootstrap's standard error); NaN with one.
        over_seeds: (K, K) with other trainings (Student's t); None with one training of each.
    """

    mean: Matrix
    over_episodes: Matrix
    over_videos: Matrix
    over_seeds: Matrix | None

    @property
    def apart(self) -> NDArray[np.bool_]:
        """(K, K) Whether two methods are told apart: every interval of their difference leaves out zero."""
        intervals = [self.over_episodes, self.over_videos, *([] if self.over_seeds is None else [self.over_seeds])]
        return np.all([np.abs(self.mean) > interval for interval in intervals], axis=0)


def differences(settings: Sequence[Setting]) -> Differences:
    """Compare every two methods.

    Args:
        settings: at least two, of the same stored episodes: one benchmark, way and shot; of any backbones.
    """
    episodes = np.column_stack([episode_accuracies(setting) for setting in settings])  # (E, K)
    both_sides = (1 - CONFIDENCE) / comb(len(settings), 2)
    t = stats.t.isf(both_sides / 2, len(episodes) - 1)
    trainings = [training_accuracies(setting) for setting in settings]
    means = episodes.mean(axis=0)
    return Differences(
        mean=means[:, None] - means,
        over_episodes=t * spread_of_differences(episodes) / sqrt(len(episodes)),
        over_videos=stats.norm.isf(both_sides / 2) * spread_of_differences(_draws_of_videos(settings)),
        over_seeds=_over_seeds(trainings),
    )


def _draws_of_videos(settings: Sequence[Setting]) -> Matrix:
    """Return the accuracy of each method with each draw of the test videos: (draws, K); NaN with a single video."""
    by_video = [right_by_video(setting).set_index("video_id") for setting in settings]
    # A method of several trainings has several times as many queries: what counts is the share of them that was right.
    right = np.column_stack([own["right"] / own["queries"] for own in by_video])  # (V, K), shares
    queries = by_video[0]["queries"].to_numpy()
    draws = accuracies_over_videos(queries, queries[:, None] * right)
    return draws if len(queries) > 1 else np.full_like(draws, np.nan)


def _over_seeds(trainings: Sequence[Matrix]) -> Matrix | None:
    """Return the half-widths over the trainings of each method; one that is not trained has a single accuracy."""
    seeds = max(map(len, trainings))
    if seeds < 2:
        return None
    by_seed = np.column_stack([np.broadcast_to(own, seeds) for own in trainings])  # (seeds, K)
    t = stats.t.isf((1 - CONFIDENCE) / 2, seeds - 1)
    return np.asarray(t * spread_of_differences(by_seed) / sqrt(seeds))


def spread_of_differences(values: Matrix) -> Matrix:
    """Return the standard deviation of the difference of every two columns: (K, K).

    Args:
        values: (n, K), rows that belong together.
    """
    covariance = np.cov(values, rowvar=False)
    variance = np.diag(covariance)
    return np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0))


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


def mean_ranks(accuracies: Matrix) -> tuple[Matrix, float]:
    """Rank methods on several benchmarks (Demšar, JMLR 2006).

    Args:
        accuracies: (B, K) of K methods on B benchmarks.

    Returns:
        The rank of each method on each benchmark, 1 for the best, ties shared: (B, K); and the critical difference:
        mean ranks less than that apart are not told apart (Nemenyi's test, 95 % for all pairs together).
    """
    benchmarks, methods = accuracies.shape
    quantile = stats.studentized_range.ppf(CONFIDENCE, methods, np.inf) / sqrt(2)
    critical = float(quantile * sqrt(methods * (methods + 1) / (6 * benchmarks)))
    return stats.rankdata(-accuracies, axis=1), critical
