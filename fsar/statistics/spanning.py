"""What sources with videos in several classes, such as a film or a person, add to the variance of an accuracy.

Such a source is drawn as one: its videos of all classes come and go together. So two episodes are alike, too, where one
has a source in one class and the other has it in another class. A line as in `fsar.statistics.videos`, through the
products of all pairs of episodes over the number of such pairs of videos, gives what that adds. The number is counted
from its mean in each class, so that it tells nothing of which classes two episodes have.
"""

import numpy as np
from numpy.typing import NDArray

from fsar.statistics.design import Design

Matrix = NDArray[np.float64]


def sources_over_classes(design: Design) -> NDArray[np.int64]:
    """Return the sources that have videos in several classes, increasing."""
    classes = np.broadcast_to(design.classes[..., None], design.sources.shape)
    places = np.unique(np.stack([design.sources.ravel(), classes.ravel()]), axis=1)
    names, counts = np.unique(places[0], return_counts=True)
    return names[(counts > 1) & (names >= 0)]


def covariance_of_films(design: Design, films: NDArray[np.int64], values: Matrix) -> tuple[Matrix, float]:
    """Return what the sources over several classes add: (P, P), and by how much chance alone moves that.

    Few films are in every episode, so their share shows only in many episodes. The second number is the standard
    deviation of the first over the draw of the episodes, in units of the variance of the mean over these, if films
    added nothing.

    Args:
        design: the stored episodes.
        films: the sources, increasing (`sources_over_classes`).
        values: (E, P) what is left of the episodes' accuracies, of mean zero.
    """
    methods = values.shape[1]
    if not len(films):
        return np.zeros((methods, methods)), 0.0
    # Of each class: its episodes, and in how many of its videos each has each film.
    episodes, present = _present(design, films)
    total, centred = np.zeros((design.episodes, len(films))), []
    whole = np.zeros_like(total)
    for own, counts in zip(episodes, present, strict=True):
        centred.append(counts - counts.mean(axis=0))
        total[own] += centred[-1]
        whole[own] += counts
    of_class = [counts.T @ values[own] for own, counts in zip(episodes, centred, strict=True)]
    # Sums over ordered pairs of episodes, over films and pairs of different classes; an episode and itself are no pair.
    products = _squared(total.T @ values) - sum(map(_squared, of_class))
    own_pairs = _across(total, episodes, centred)
    products -= (values * own_pairs[:, None]).T @ values
    squares = np.square(total.T @ total).sum() - np.square(own_pairs).sum()
    for own, counts in zip(episodes, centred, strict=True):
        squares -= 2 * np.square(total[own].T @ counts).sum()
        rows = np.zeros(design.episodes, np.int64) - 1
        rows[own] = np.arange(len(own))
        for others, theirs in zip(episodes, centred, strict=True):
            both = rows[others] >= 0
            squares += np.square(counts[rows[others[both]]].T @ theirs[both]).sum()
    shared = np.square(whole.sum(axis=0)).sum() - sum(np.square(own.sum(axis=0)).sum() for own in present)
    shared -= _across(whole, episodes, present).sum()
    pairs = design.episodes * (design.episodes - 1)
    if squares <= 1e-9 * pairs:
        return np.full((methods, methods), np.nan), 0.0
    mean = shared / pairs
    return np.asarray(products / squares * mean), float(mean * design.episodes * np.sqrt(2 / squares))


def _present(design: Design, films: NDArray[np.int64]) -> tuple[list[NDArray[np.int64]], list[Matrix]]:
    """Return for each class its episodes (E_c,), and how many videos of each film they have of it (E_c, films)."""
    episodes, present = [], []
    for number in range(design.class_count):
        own, labels = np.nonzero(design.classes == number)
        sources = design.sources[own, labels]
        columns = np.minimum(np.searchsorted(films, sources), len(films) - 1)
        counts = np.zeros((len(own), len(films)))
        np.add.at(counts, (np.arange(len(own))[:, None], columns), films[columns] == sources)
        episodes.append(own)
        present.append(counts)
    return episodes, present


def _squared(sums: Matrix) -> Matrix:
    return np.asarray(sums.T @ sums)


def _across(total: Matrix, episodes: list[NDArray[np.int64]], present: list[Matrix]) -> Matrix:
    """Return of each episode the sum over films and pairs of its different classes of what they have: (E,)."""
    found = np.square(total).sum(axis=1)
    for own, counts in zip(episodes, present, strict=True):
        found[own] -= np.square(counts).sum(axis=1)
    return np.asarray(found)
