"""How often 95 % intervals over test videos hold the truth: `python -m perf.coverage`, minutes on two cores.

Made-up data sets (`fsar.statistics.made_up`) are tested, and the interval of each is compared with the truth.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from fsar.statistics.made_up import EPISODES, Size, class_means, one_data_set, truth
from fsar.statistics.variance import Variance

CLASSES, SHOTS, VIDEOS = (24, 100), (1, 5), ((16, 1), (100, 1), (100, 25))
DRAWS, POPULATIONS = 200, 5
FORMATS = {"true sd": "{:.2f}", "estimated": "{:.2f}", "over videos": "{:.0f}", "over episodes": "{:.0f}"}


def sizes() -> list[Size]:
    """Return the designs of the table; in the last ones sources have videos in every class."""
    found = [Size(classes, *videos, shot) for classes, videos, shot in product(CLASSES, VIDEOS, SHOTS)]
    return found + [Size(24, *videos, shot, films=True) for videos in ((16, 1), (100, 4)) for shot in SHOTS]


def coverage(
    size: Size, draws: int = DRAWS, populations: int = POPULATIONS, episodes: int = EPISODES
) -> list[dict[str, object]]:
    """Return a row for an accuracy and one for a difference: how often each interval holds the truth, in percent."""
    rng = np.random.default_rng([size.classes, size.videos, size.of_source, size.shot])
    found: dict[str, list[tuple[float, float, float, float]]] = {"accuracy": [], "difference": []}
    for _ in range(populations):
        means = class_means(rng, size.classes)
        expected = truth(rng, means, size)
        for _ in range(draws // populations):
            accuracies, covariance = one_data_set(rng, means, size, episodes)
            error = accuracies - expected
            found["accuracy"].append((error[0], *_numbers(covariance.of_accuracies, 0)))
            found["difference"].append((error[0] - error[1], *_numbers(covariance.of_differences, (0, 1))))
    rows: list[dict[str, object]] = []
    for what, values in found.items():
        error, episode, video, width = np.array(values).T
        rows.append(
            {"classes": size.classes, "videos": size.videos, "of a source": size.of_source}
            | {"films": "yes" if size.films else "", "shot": size.shot, "of": what}
            | {"true sd": np.sqrt(np.mean(error**2)), "estimated": np.sqrt(np.mean(video))}
            | {"over videos": 100 * np.mean(np.abs(error) <= width)}
            | {"over episodes": 100 * np.mean(np.abs(error) <= 1.96 * np.sqrt(episode))}
        )
    return rows


def _numbers(variance: Variance, place: int | tuple[int, int]) -> tuple[float, float, float]:
    """Return of one place: the variance over episodes, that over videos, and the half-width of the interval."""
    return float(variance.episodes[place]), float(variance.videos[place]), float(variance.half_widths[place])


def parser() -> ArgumentParser:
    """Return what reads the command line."""
    whole = ArgumentParser(prog="python -m perf.coverage", description=__doc__.replace("%", "%%"))
    whole.add_argument("--episodes", type=int, default=EPISODES, help="of each data set; default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table as a CSV, docs/coverage.csv."""
    each = partial(coverage, episodes=parser().parse_args(arguments).episodes)
    with ProcessPoolExecutor(2) as processes:
        table = pd.DataFrame([row for own in processes.map(each, sizes()) for row in own])
    for column, form in FORMATS.items():
        table[column] = table[column].map(form.format)
    print(table.to_csv(index=False), end="")


if __name__ == "__main__":
    main()
