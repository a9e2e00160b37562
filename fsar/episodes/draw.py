"""Draws episodes: N classes, with K support videos and some query videos of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fsar.errors import UserError


@dataclass(frozen=True)
class Episode:
    """One few-shot task, by the numbers of its videos.

    Attributes:
        classes: (N,) class numbers; the label of a class in the episode is its place here.
        support: (N, K) video numbers.
        queries: (N, Q per class) video numbers, none of them in the support.
    """

    classes: NDArray[np.int64]
    support: NDArray[np.int64]
    queries: NDArray[np.int64]


class EpisodeSampler:
    """Draws episodes from the videos of a split.

    Args:
        labels: (videos,) the class name of each video.
        way, shot, queries: classes, support videos per class, query videos per class.

    Raises:
        UserError: too few classes, or a class with too few videos; names the class.
    """

    def __init__(self, labels: NDArray[np.object_], way: int, shot: int, queries: int):
        self.way, self.shot, self.queries = way, shot, queries
        self.class_names, numbers = np.unique(labels.astype(str), return_inverse=True)
        self.videos = [np.flatnonzero(numbers == number) for number in range(len(self.class_names))]
        if way > len(self.videos):
            raise UserError(f"An episode of {way} classes cannot be drawn from {len(self.videos)}; set way lower")
        for name, videos in zip(self.class_names, self.videos, strict=True):
            if len(videos) < shot + queries:
                raise UserError(
                    f"Class {str(name)!r} has {len(videos)} readable videos, fewer than shot {shot} + queries "
                    f"{queries}; add videos, leave it out, or lower the shot"
                )

    def check_unknown(self, unknown: int) -> None:
        """Check that so many unknown queries can be drawn beside an episode; raises UserError."""
        if not unknown:
            return
        others = len(self.videos) - self.way
        if others < 1:
            raise UserError(
                f"Unknown queries are of other classes than the {self.way} of their episode, and there are no more "
                f"than {len(self.videos)} classes; set way lower, or unknown to 0"
            )
        fewest = min(range(len(self.videos)), key=lambda number: len(self.videos[number]))
        most = others * len(self.videos[fewest])
        if unknown > most:
            raise UserError(
                f"{unknown} unknown queries cannot be drawn from {others} other classes, of which "
                f"{str(self.class_names[fewest])!r} has {len(self.videos[fewest])} readable videos; the nearest valid "
                f"number is {most}"
            )

    def draw_unknown(
        self, classes: NDArray[np.int64], unknown: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw queries of other classes than an episode's: of as many of these as can be, and no video twice.

        The other classes take turns in a random order. The first of more queries are those of fewer.

        Args:
            classes: (N,) of the episode.
            unknown: U, how many.
            rng: of nothing else than this.

        Returns:
            (U,) class numbers and (U,) video numbers.
        """
        order = rng.permutation(np.setdiff1d(np.arange(len(self.videos)), classes))
        drawn = order[np.arange(unknown) % len(order)]
        shuffled = {int(own): rng.permutation(self.videos[own]) for own in order[:unknown]}
        videos = [shuffled[int(own)][place // len(order)] for place, own in enumerate(drawn)]
        return drawn, np.array(videos, np.int64)

    def draw(self, rng: np.random.Generator) -> Episode:
        """Draw one episode, uniformly over classes and over the videos of each."""
        classes = rng.choice(len(self.videos), self.way, replace=False)
        drawn = np.stack([rng.choice(self.videos[c], self.shot + self.queries, replace=False) for c in classes])
        return Episode(classes, drawn[:, : self.shot], drawn[:, self.shot :])


def asked_in_all(others: NDArray[np.int64], count: int, queries: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which of an episode's queries are asked, if these are drawn from all videos of its classes together.

    Args:
        others: (N,) how many videos of each class are not in its support.
        count: queries that are asked, at most Q.
        queries: Q, those drawn of each class.
        rng: of nothing else than this.

    Returns:
        (N, Q): of each class the first ones, or none.
    """
    return np.arange(queries) < rng.multivariate_hypergeometric(others, count)[:, None]


def training_episode(sampler: EpisodeSampler, seed: int, number: int) -> tuple[Episode, np.random.Generator]:
    """Return training episode `number` and the random generator for its frames: a pure function of (seed, number)."""
    rng = np.random.default_rng([seed, 3, number])
    return sampler.draw(rng), rng
