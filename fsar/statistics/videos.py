"""The variance of an accuracy over the draw of its test's videos: how far it would move with others of their classes.

The accuracy of a test is an incomplete U-statistic. Episodes that share a video, as query or as support, are not
independent, so the variance is the mean covariance of two episodes, over all pairs of them. Given the classes, two
episodes that share no video are independent: the mean product of such pairs estimates what the product would be without
any covariance, for every order of interaction between videos at once (Wang and Lindsay, Statistica Sinica 2014, for
complete U-statistics). What is left is the covariance:

    Var(mean accuracy) = Var(a) / E + Σ_c f_c² · (mean product of all pairs with class c
                                                   − mean product of those that share none of its videos)

with f_c the share of episodes that have class c. Several classes in common add up. Where videos share a source (parts
of one film), "a video in common" is a source in common.
"""

import numpy as np
from numpy.typing import NDArray

from fsar.statistics.design import Design

Matrix = NDArray[np.float64]

# Pairs of episodes looked at in one piece; bounds memory.
ROWS = 2000
# Of a class's pairs of episodes so many must share none of its videos; else what they would come to is extrapolated.
LEAST_SHARE = 0.005


def covariance_over_videos(design: Design, accuracies: Matrix, by_class: NDArray[np.float64]) -> Matrix:
    """Return the covariance of the mean accuracies of several methods over the draw of the test's videos.

    Args:
        design: the stored episodes, which all methods met.
        accuracies: (E, P) of each episode by each of P methods, in any unit.
        by_class: (E, N, P) the same of the queries of each class.

    Returns:
        (P, P), in the square of that unit: also of the draw of the episodes themselves. The variance of the difference
        of two methods is the sum of their variances without twice their covariance.
    """
    rest = _without_classes(design, accuracies, by_class)
    centred = accuracies - accuracies.mean(axis=0)
    found = centred.T @ centred / (len(centred) - 1) / len(centred)
    for number in range(design.class_count):
        episodes, labels = np.nonzero(design.classes == number)
        if len(episodes) > 1:
            share = len(episodes) / design.episodes
            found += share**2 * _covariance_of_pairs(design.sources[episodes, labels], rest[episodes])
    return (found + found.T) / 2


def _without_classes(design: Design, accuracies: Matrix, by_class: NDArray[np.float64]) -> Matrix:
    """Return what is left of the accuracies when that of each episode's classes is taken away: (E, P).

    Which classes an episode has moves its accuracy and is no matter of videos; without it the products vary less.
    """
    flat = by_class.reshape(-1, by_class.shape[-1])  # (E·N, P)
    classes = design.classes.ravel()
    counts = np.bincount(classes, minlength=design.class_count)
    means = np.stack([np.bincount(classes, own, minlength=design.class_count) for own in flat.T], axis=1)
    rest = accuracies - (means / np.maximum(counts, 1)[:, None])[design.classes].mean(axis=1)
    return rest - rest.mean(axis=0)


def _covariance_of_pairs(sources: NDArray[np.int64], values: Matrix) -> Matrix:
    """Return the mean product of all pairs of episodes minus that of pairs that share no source.

    Args:
        sources: (E, M) of the episodes' videos of one class.
        values: (E, P) what is left of their accuracies.
    """
    values = (values - values.mean(axis=0)).astype(np.float32)
    present = _counts(sources)
    total, size = len(values), values.shape[1]
    apart, pairs = np.zeros((size, size)), 0
    # Sums over pairs of shared sources, for the line that is extrapolated where hardly any share none.
    shared, squares, products = 0.0, 0.0, np.zeros((size, size))
    for start in range(0, total, ROWS):
        part = slice(start, min(start + ROWS, total))
        overlap = present[part] @ present.T  # (rows, E) pairs of videos with a common source
        none = (overlap == 0).astype(np.float32)
        pairs += int(none.sum())
        apart += values[part].T @ (none @ values)
        overlap[np.arange(overlap.shape[0]), np.arange(part.start, part.stop)] = 0  # an episode and itself are no pair
        shared += float(overlap.sum(dtype=np.float64))
        squares += float(np.square(overlap).sum(dtype=np.float64))
        products += values[part].T @ (overlap @ values)
    all_pairs = total * (total - 1)
    sums = values.sum(axis=0, dtype=np.float64)
    mean = (np.outer(sums, sums) - values.T.astype(np.float64) @ values) / all_pairs
    if pairs >= LEAST_SHARE * all_pairs:
        return np.asarray(mean - apart / pairs)
    # The covariance of two episodes grows with the sources they share: a line, from its slope to no source at all.
    centre = shared / all_pairs
    spread = squares / all_pairs - centre**2
    if spread <= 0:
        return np.zeros((size, size))
    slope = (products / all_pairs - centre * mean) / spread
    return np.asarray(slope * centre)


def _counts(sources: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how many videos of each source each episode has: (E, M) → (E, sources)."""
    names, numbers = np.unique(sources, return_inverse=True)
    found = np.zeros((len(sources), len(names)), np.float32)
    np.add.at(found, (np.arange(len(sources))[:, None], numbers.reshape(sources.shape)), 1)
    return found
