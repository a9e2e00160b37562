"""How often 95 % intervals over test videos hold the truth: `python -m perf.coverage`, minutes on two cores.

Classes, sources and videos are Gaussian, and the nearest mean of the support videos decides. A data set is drawn, its
episodes are drawn from it, and its interval is compared with the truth: the expected accuracy of the protocol over data
sets of that design with the same classes, from episodes whose videos are all new.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsar.statistics.design import Design
from fsar.statistics.intervals import quantile
from fsar.statistics.videos import covariance_over_videos

WAY, DIMENSIONS, FEWER = 5, 16, 10  # the second method sees the first ten dimensions alone
EPISODES, TRUE_EPISODES = 4000, 60_000
APART, OF_SOURCE, OF_VIDEO = 0.9, 1.0, 1.0  # standard deviations of classes, of sources in them, of videos in these
CLASSES, SHOTS, VIDEOS = (24, 100), (1, 5), (16, 100)
DRAWS, POPULATIONS = 160, 4

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Size:
    """A design: classes, videos of each, videos of each source, and shots."""

    classes: int
    videos: int
    of_source: int
    shot: int


def drawn_episodes(rng: np.random.Generator, size: Size, count: int) -> tuple[Numbers, Numbers]:
    """Draw episodes: classes (E, N), and places of shot + 1 different videos within each class (E, N, shot + 1)."""
    classes = np.argsort(rng.random((count, size.classes)), axis=1)[:, :WAY]
    places = np.argsort(rng.random((count, WAY, size.videos), np.float32), axis=2)[..., : size.shot + 1]
    return classes, places


def right(videos: Floats) -> Floats:
    """Return whether the last video of each class is nearest to its class's mean: (E, N, M, D) → (E, N)."""
    prototypes, queries = videos[:, :, :-1].mean(axis=2), videos[:, :, -1]
    distances = np.square(prototypes).sum(-1)[:, None] - 2 * np.einsum("eqd,end->eqn", queries, prototypes)
    return np.asarray(distances.argmin(-1) == np.arange(WAY), float)


def both(videos: Floats) -> Floats:
    """Return the answers of both methods, in percent: (E, N, 2)."""
    return 100 * np.stack([right(videos), right(videos[..., :FEWER])], axis=-1)


def truth(rng: np.random.Generator, means: Floats, size: Size) -> Floats:
    """Return the expected accuracies: every episode has videos and sources of its own."""
    found = []
    for _ in range(TRUE_EPISODES // EPISODES):
        classes, places = drawn_episodes(rng, size, EPISODES)
        sources = places // size.of_source  # of one number in one class of an episode: one source
        same = sources[..., None] == sources[..., None, :]
        first = same.argmax(axis=-1)  # the first video of the same source, whose draw all of them take
        effects = rng.normal(size=(*places.shape, DIMENSIONS)) * OF_SOURCE
        effects = np.take_along_axis(effects, first[..., None], axis=2)
        videos = means[classes][:, :, None] + effects + rng.normal(size=effects.shape) * OF_VIDEO
        found.append(both(videos).mean(axis=(0, 1)))
    return np.mean(found, axis=0)


def one_data_set(
    rng: np.random.Generator, means: Floats, size: Size, episodes: int = EPISODES
) -> tuple[Floats, Floats, Floats, float]:
    """Draw a data set and test on it.

    Returns:
        Accuracies (2,), their covariance over episodes and over videos (2, 2), degrees of freedom.
    """
    sources = np.arange(size.videos) // size.of_source
    effects = rng.normal(size=(size.classes, sources[-1] + 1, DIMENSIONS))[:, sources] * OF_SOURCE
    videos = means[:, None] + effects + rng.normal(size=effects.shape) * OF_VIDEO
    classes, places = drawn_episodes(rng, size, episodes)
    answers = both(videos[classes[..., None], places])
    found = covariance_over_videos(Design(classes, sources[places]), answers.mean(axis=1), answers)
    return answers.mean(axis=(0, 1)), found.episodes, found.videos, found.freedom


def coverage(size: Size, draws: int = DRAWS, populations: int = POPULATIONS) -> list[dict[str, object]]:
    """Return a row for an accuracy and one for a difference: how often each interval holds the truth, in percent."""
    rng = np.random.default_rng([size.classes, size.videos, size.of_source, size.shot])
    found: dict[str, list[tuple[float, float, float, float]]] = {"accuracy": [], "difference": []}
    for _ in range(populations):
        means = rng.normal(size=(size.classes, DIMENSIONS)) * APART
        expected = truth(rng, means, size)
        for _ in range(draws // populations):
            accuracies, episodes, videos, freedom = one_data_set(rng, means, size)
            for what, weights in (("accuracy", np.array([1, 0])), ("difference", np.array([1, -1]))):
                error = float(weights @ (accuracies - expected))
                episode, video = (float(weights @ own @ weights) for own in (episodes, videos))
                found[what].append((error, episode**0.5, max(video, episode) ** 0.5, quantile(freedom)))
    rows: list[dict[str, object]] = []
    for what, values in found.items():
        error, episode, video, reach = np.array(values).T
        rows.append(
            {"classes": size.classes, "videos": size.videos, "of a source": size.of_source, "shot": size.shot}
            | {"of": what, "true sd": np.sqrt(np.mean(error**2)), "estimated": np.sqrt(np.mean(video**2))}
            | {"over videos": 100 * np.mean(np.abs(error) <= reach * video)}
            | {"over episodes": 100 * np.mean(np.abs(error) <= 1.96 * episode)}
        )
    return rows


def parser() -> ArgumentParser:
    """Return what reads the command line."""
    return ArgumentParser(prog="python -m perf.coverage", description=__doc__.replace("%", "%%"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table as Markdown."""
    parser().parse_args(arguments)
    sizes = [
        Size(classes, videos, of_source, shot)
        for classes, videos, shot in product(CLASSES, VIDEOS, SHOTS)
        for of_source in (1, 4, *([25] if videos == 100 else []))
    ]
    with ProcessPoolExecutor(2) as processes:
        rows = [row for own in processes.map(coverage, sizes) for row in own]
    formats = ("", "", "", "", "", ".2f", ".2f", ".0f", ".0f")
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=formats))


if __name__ == "__main__":
    main()
