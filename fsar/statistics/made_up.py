"""Made-up data sets with a known truth, to see how often intervals hold it.

Classes, sources and videos are Gaussian, and the nearest mean of the support videos decides. The truth is the expected
accuracy of the protocol over data sets of one design with the same classes: from episodes whose videos are all new.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fsar.statistics.design import Design
from fsar.statistics.videos import Covariance, covariance_over_videos

WAY, DIMENSIONS, FEWER = 5, 16, 10  # the second method sees the first ten dimensions alone
EPISODES, TRUE_EPISODES = 4000, 60_000
APART, OF_SOURCE, OF_VIDEO = 0.9, 1.0, 1.0  # standard deviations of classes, of sources in them, of videos in these

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Size:
    """A design.

    Attributes:
        classes, videos, of_source, shot: classes, videos of each, videos of each source in a class, support videos.
        films: the sources are films, each with as many videos in every class; half of the variance of a source is one
            draw for all classes, and half a draw for each.
    """

    classes: int
    videos: int
    of_source: int
    shot: int
    films: bool = False

    @property
    def sources(self) -> Numbers:
        """(videos,) source of each video of a class."""
        return np.arange(self.videos) // self.of_source


def class_means(rng: Rng, classes: int) -> Floats:
    """Draw the means of classes: (C, D)."""
    return np.asarray(rng.normal(size=(classes, DIMENSIONS)) * APART)


def drawn_episodes(rng: Rng, size: Size, count: int) -> tuple[Numbers, Numbers]:
    """Draw episodes: classes (E, N), and places of shot + 1 different videos within each class (E, N, shot + 1)."""
    classes = np.argsort(rng.random((count, size.classes)), axis=1)[:, :WAY]
    places = np.argsort(rng.random((count, WAY, size.videos), np.float32), axis=2)[..., : size.shot + 1]
    return classes, places


def truth(rng: Rng, means: Floats, size: Size) -> Floats:
    """Return the expected accuracies of both methods (2,), in percent: every episode has videos and sources of its own.

    Args:
        rng: random generator.
        means: (C, D) of the classes.
        size: of the data sets.
    """
    found = []
    for _ in range(TRUE_EPISODES // EPISODES):
        classes, places = drawn_episodes(rng, size, EPISODES)
        sources = size.sources[places]
        # Of one number in one class of an episode: one source. All its videos take the draw of the first of them.
        first = (sources[..., None] == sources[..., None, :]).argmax(axis=-1)
        effects = np.take_along_axis(rng.normal(size=(*places.shape, DIMENSIONS)), first[..., None], axis=2)
        if size.films:
            films = rng.normal(size=(EPISODES, size.sources[-1] + 1, DIMENSIONS))
            effects = _halves(effects, films[np.arange(EPISODES)[:, None, None], sources])
        videos = means[classes][:, :, None] + effects * OF_SOURCE + rng.normal(size=effects.shape) * OF_VIDEO
        found.append(_answers(videos).mean(axis=(0, 1)))
    return np.asarray(np.mean(found, axis=0))


def one_data_set(rng: Rng, means: Floats, size: Size, episodes: int = EPISODES) -> tuple[Floats, Covariance]:
    """Draw a data set and test on it.

    Args:
        rng: random generator.
        means: (C, D) of the classes.
        size: of the data set.
        episodes: how many are drawn from it.

    Returns:
        The accuracies of both methods (2,), in percent, and what is said of their variance.
    """
    of_source = rng.normal(size=(size.classes, size.sources[-1] + 1, DIMENSIONS))
    if size.films:
        of_source = _halves(of_source, rng.normal(size=of_source.shape[1:]))
    effects = of_source[:, size.sources] * OF_SOURCE
    videos = means[:, None] + effects + rng.normal(size=effects.shape) * OF_VIDEO
    classes, places = drawn_episodes(rng, size, episodes)
    answers = _answers(videos[classes[..., None], places])
    sources = size.sources[places]
    if not size.films:
        sources = sources + classes[..., None] * size.videos
    found = covariance_over_videos(Design(classes, sources), answers.mean(axis=1), answers)
    return answers.mean(axis=(0, 1)), found


def _halves(one: Floats, other: Floats) -> Floats:
    """Add two draws, of half the variance each."""
    return np.asarray((one + other) / np.sqrt(2))


def _answers(videos: Floats) -> Floats:
    """Return the answers of both methods, in percent: (E, N, M, D) → (E, N, 2)."""
    return 100 * np.stack([_right(videos), _right(videos[..., :FEWER])], axis=-1)


def _right(videos: Floats) -> Floats:
    """Return whether the last video of each class is nearest to its class's mean: (E, N, M, D) → (E, N)."""
    prototypes, queries = videos[:, :, :-1].mean(axis=2), videos[:, :, -1]
    distances = np.square(prototypes).sum(-1)[:, None] - 2 * np.einsum("eqd,end->eqn", queries, prototypes)
    return np.asarray(distances.argmin(-1) == np.arange(WAY), float)
