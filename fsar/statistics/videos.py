"""The variance of an accuracy over the draw of its test's videos: how far it would move with others of their classes.

Episodes that share a video, as query or as support, are not independent. So the variance of a mean over episodes is the
mean covariance of two of them, over all pairs (an incomplete U-statistic; Wang and Lindsay, Statistica Sinica 2014).
Given the classes, two episodes that share no video are independent, and the covariance grows with the number of pairs
of videos that they share. For each class, a line through the products of all pairs of its episodes gives that slope:

    Var(mean accuracy) = Var(a) / E + Σ_c f_c² · slope_c · (mean number of shared pairs of class c)

with f_c the share of episodes that have class c. Several classes in common add up. Where videos share a source (they
are parts of one film), "a video in common" is a source in common. A source with videos in several classes is drawn as
one (`fsar.statistics.spanning`). The line needs no list of pairs: its sums are sums over sources.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from fsar.statistics.design import Design
from fsar.statistics.spanning import covariance_of_films, sources_over_classes
from fsar.statistics.variance import Variance, of_parts

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Covariance:
    """The covariance of the mean accuracies of P methods over the same episodes, in parts.

    Attributes:
        episodes: (P, P) over the draw of the episodes, with the videos as they are.
        classes: (C, P, P) what the draw of each class's test videos adds; NaN where it cannot be told: the class has
            videos of one source, or every episode has the same ones.
        spanning: (P, P) what sources with videos in several classes add to that.
        most_freedom: of Student's t, if classes vary alike (Satterthwaite).
        films: how many sources have videos in several classes.
        noise: standard deviation of `spanning` by the draw of the episodes, over the variance of the mean over these.
    """

    episodes: Matrix
    classes: Matrix
    spanning: Matrix
    most_freedom: float
    films: int
    noise: float

    @property
    def of_accuracies(self) -> Variance:
        """(P,) of the mean accuracies."""
        return self._variance(lambda own: np.diagonal(own, axis1=-2, axis2=-1))

    @property
    def of_differences(self) -> Variance:
        """(P, P) of the difference of every two."""
        return self._variance(of_differences)

    def _variance(self, which: Callable[[Matrix], Matrix]) -> Variance:
        episodes = np.maximum(which(self.episodes), 0)
        unsure = self.noise * episodes, self.films
        return of_parts(episodes, which(self.classes), which(self.spanning), self.most_freedom, *unsure)


def of_differences(covariance: Matrix) -> Matrix:
    """Return the variance of the difference of every two: (..., P, P)."""
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    return np.asarray(variance[..., :, None] + variance[..., None, :] - 2 * covariance)


def covariance_over_videos(design: Design, accuracies: Matrix, by_class: NDArray[np.float64]) -> Covariance:
    """Return the covariance of the mean accuracies of several methods over the draw of the test's videos.

    Args:
        design: the stored episodes, which all methods met.
        accuracies: (E, P) of each episode by each of P methods, in any unit.
        by_class: (E, N, P) the same of the queries of each class.
    """
    rest = _without_classes(design, accuracies, by_class)
    centred = accuracies - accuracies.mean(axis=0)
    over_episodes = centred.T @ centred / (len(centred) - 1) / len(centred)
    parts, shares, sources = [], [], []
    for number in range(design.class_count):
        episodes, labels = np.nonzero(design.classes == number)
        if len(episodes):
            present = _counts(design.sources[episodes, labels])
            part = _covariance_of_pairs(present, rest[episodes])
            shares.append((len(episodes) / design.episodes) ** 2)
            parts.append(shares[-1] * (part + part.T) / 2)
            sources.append(present.shape[1])
    most = np.sum(shares) ** 2 / np.sum(np.square(shares) / np.maximum(np.array(sources) - 1, 1))
    films = sources_over_classes(design)
    spanning, noise = covariance_of_films(design, films, rest)
    return Covariance(over_episodes, np.stack(parts), spanning, float(most), len(films), noise)


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


def _covariance_of_pairs(present: csr_array, values: Matrix) -> Matrix:
    """Return how much the sources that two episodes share add to their mean product: (P, P).

    Args:
        present: (E, G) how many videos of each source of one class each episode has.
        values: (E, P) what is left of the episodes' accuracies.
    """
    values = values - values.mean(axis=0)
    pairs = len(values) * (len(values) - 1)  # ordered
    own = present.power(2).sum(axis=1)  # an episode and itself are no pair
    shared = np.square(present.sum(axis=0)).sum() - own.sum()
    squares = (present.T @ present).power(2).sum() - np.square(own).sum()
    of_source = present.T @ values
    products = of_source.T @ of_source - (values * own[:, None]).T @ values
    mean = -(values.T @ values)  # sum of the products of all pairs: the values sum to zero
    centre = shared / pairs if pairs else 0.0
    spread = squares - centre * shared
    if present.shape[1] < 2 or spread <= 1e-9 * squares:
        return np.full(mean.shape, np.nan)
    return np.asarray((products - centre * mean) / spread * centre)


def _counts(sources: NDArray[np.int64]) -> csr_array:
    """Return how many videos of each source each episode has: (E, M) → (E, sources)."""
    names, numbers = np.unique(sources, return_inverse=True)
    starts = np.arange(len(sources) + 1) * sources.shape[1]
    found = csr_array((np.ones(sources.size), numbers.ravel(), starts), (len(sources), len(names)))
    found.sum_duplicates()
    return found if names[0] >= 0 else found[:, 1:]  # −1 is no source
