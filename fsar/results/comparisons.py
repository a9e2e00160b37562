"""What each test says of its methods and of their differences, with intervals; the one place that decides it.

All methods of a benchmark, way and shot meet the same stored episodes, so differences are taken episode by episode.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from fsar.errors import UserError
from fsar.files import atomic_csv
from fsar.results.accuracies import Measured, design_of, setting_predictions, sources_of
from fsar.results.class_accuracy import COLUMNS as ASKED_COLUMNS
from fsar.results.class_accuracy import Asked, told_of
from fsar.results.setting import Setting
from fsar.seal import REMEDY
from fsar.statistics.intervals import CONFIDENCE, POWER, holm, mean_and_interval, quantile
from fsar.statistics.variance import Variance
from fsar.statistics.videos import Covariance, covariance_over_videos, of_differences

Matrix = NDArray[np.float64]
Place = tuple[str, int, int]

COMPARISON_COLUMNS = [
    "benchmark", "way", "shot", "backbone", "method",
    "baseline_backbone", "baseline",  # what it is compared with
    "difference",  # of the accuracies, percentage points
    "over_episodes",  # half-width of its 95 % interval over the draw of the episodes from these videos
    "over_videos",  # the same over the draw of the test videos, and of the episodes
    "over_seeds",  # the same over trainings; empty with one of each
    "over_draws",  # the same over draws of the test videos' frames; empty with one
    "p",  # that it is none, over the test videos; two-sided, for this pair by itself
    "p_holm",  # the same, corrected for all pairs of the benchmark, way and shot (Holm)
    "apart",  # yes: told apart, by p_holm and, with several trainings, by the interval over them
    "detectable",  # the smallest true difference that this test finds in 80 % of cases, for this pair by itself
    "detectable_all_episodes",  # the same with every possible episode of these videos
    "detectable_twice_videos",  # the same with twice as many test videos
    "episodes",
]  # fmt: skip

CLASS_COLUMNS = [
    "benchmark", "backbone", "method", "way", "shot", "class_name", "accuracy",
    "low", "high",  # the 95 % interval over the class's query videos
    "queries", "videos",
    "taken_for",  # the class it is most often taken for; empty if for none
    "taken_for_rate",  # percent of its queries in episodes that have both
]  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The methods of one benchmark, way and shot; P of them, with any backbones. Percent and percentage points.

    Attributes:
        settings: the methods.
        measured: what each came to.
        covariance: of their mean accuracies.
        few_sources: the test videos of a class are of few sources (`Design.few_sources`).
    """

    settings: list[Setting]
    measured: list[Measured]
    covariance: Covariance
    few_sources: bool = False

    @cached_property
    def accuracies(self) -> Matrix:
        """(P,) mean accuracies."""
        return np.array([own.episodes.mean() for own in self.measured])

    @cached_property
    def over_episodes(self) -> Matrix:
        """(P,) half-widths of the accuracies' intervals over the episodes."""
        return np.array([mean_and_interval(own.episodes)[1] for own in self.measured])

    @cached_property
    def over_videos(self) -> Matrix:
        """(P,) half-widths of the accuracies' intervals over the test videos."""
        return self.covariance.of_accuracies.half_widths

    @cached_property
    def over_seeds(self) -> Matrix:
        """(P,) half-widths of the accuracies' intervals over trainings; NaN with a single one."""
        trainings = [own.trainings for own in self.measured]
        return np.array([mean_and_interval(own)[1] if len(own) > 1 else np.nan for own in trainings])

    @cached_property
    def over_draws(self) -> Matrix:
        """(P,) half-widths of the accuracies' intervals over draws of the videos' frames; NaN with a single one."""
        draws = [own.draws for own in self.measured]
        return np.array([mean_and_interval(own)[1] if len(own) > 1 else np.nan for own in draws])

    @property
    def differences(self) -> Matrix:
        """(P, P) accuracy of the method in the row minus that of the method in the column."""
        return self.accuracies[:, None] - self.accuracies

    @cached_property
    def variances(self) -> Variance:
        """(P, P) variances of the differences."""
        return self.covariance.of_differences

    @property
    def differences_over_episodes(self) -> Matrix:
        """(P, P) half-widths of the differences' intervals over the episodes."""
        return np.sqrt(self.variances.episodes) * quantile(len(self.measured[0].episodes) - 1)

    @property
    def differences_over_videos(self) -> Matrix:
        """(P, P) half-widths of the differences' intervals over the test videos."""
        return self.variances.half_widths

    @cached_property
    def differences_over_seeds(self) -> Matrix:
        """(P, P) half-widths of the differences' intervals over trainings; NaN with one training of each."""
        return _over([own.trainings for own in self.measured])

    @cached_property
    def differences_over_draws(self) -> Matrix:
        """(P, P) half-widths of the differences' intervals over draws of the videos' frames; NaN with a single one."""
        return _over([own.draws for own in self.measured])

    @cached_property
    def p(self) -> Matrix:
        """(P, P) that a difference is none, over the test videos; for each pair by itself."""
        error, size = np.sqrt(self.variances.videos), np.abs(self.differences)
        ratio = np.divide(size, error, out=np.where(size > 0, np.inf, 0.0), where=~(error == 0))
        return np.asarray(2 * special.stdtr(self.variances.freedom, -ratio))

    @cached_property
    def p_holm(self) -> Matrix:
        """(P, P) the same, corrected for all pairs; 1 on the diagonal."""
        found = np.ones_like(self.p)
        pairs = np.triu_indices(len(found), 1)
        found[pairs] = found[pairs[::-1]] = holm(self.p[pairs])
        return found

    @cached_property
    def apart(self) -> NDArray[np.bool_]:
        """(P, P) Whether two methods are told apart: over the test videos and, with several, over the trainings."""
        over_seeds = self.differences_over_seeds
        return (self.p_holm < 1 - CONFIDENCE) & (np.isnan(over_seeds) | (np.abs(self.differences) > over_seeds))

    @cached_property
    def leading(self) -> list[bool]:
        """Of each method: whether it is the best with its backbone, or not told apart from that; no if it is alone."""
        found = [False] * len(self.settings)
        for backbone in {setting.backbone for setting in self.settings}:
            own = [place for place, setting in enumerate(self.settings) if setting.backbone == backbone]
            best = max(own, key=lambda place: self.accuracies[place])
            for place in own:
                found[place] = len(own) > 1 and not self.apart[best, place]
        return found

    def detectable(self) -> tuple[Matrix, Matrix, Matrix]:
        """Return the smallest differences that are found with a power of 80 %, (P, P) each.

        Now; with every possible episode; with twice as many videos, which halves their part of the variance. For one
        pair by itself, in the normal approximation.
        """
        episodes, videos, _ = self.variances
        part = videos - episodes
        reach = special.ndtri((1 + CONFIDENCE) / 2) + special.ndtri(POWER)
        now, all_episodes, twice = (reach * np.sqrt(own) for own in (videos, part, episodes + part / 2))
        return now, all_episodes, twice


def _over(values: Sequence[Matrix]) -> Matrix:
    """Return half-widths of the intervals of differences over what each method has values of: (P, P).

    Args:
        values: (S,) of each method, which belong together in their order; (1,) of one that does not vary.
    """
    count = max(map(len, values))
    if count < 2:
        return np.full((len(values), len(values)), np.nan)
    by_method = np.column_stack([np.broadcast_to(own, count) for own in values])
    variance = np.maximum(of_differences(np.atleast_2d(np.cov(by_method, rowvar=False))), 0)
    return np.asarray(np.sqrt(variance / count) * quantile(count - 1))


def compare(settings: Sequence[Setting], measured: Callable[[Setting], Measured] = Measured.read) -> Comparison:
    """Compare the methods of one benchmark, way and shot.

    Args:
        settings: the methods.
        measured: returns what each came to.

    Raises:
        UserError: predictions and stored episodes do not belong together.
    """
    tested, design = [measured(setting) for setting in settings], design_of(settings[0])
    for setting, own in zip(settings, tested, strict=True):
        if len(own.episodes) != design.episodes:
            raise UserError(
                f"{setting.predictions[0]} has {len(own.episodes)} episodes, and {setting.episodes} has "
                f"{design.episodes}. {REMEDY}."
            )
    accuracies = np.column_stack([own.episodes for own in tested])
    by_class = np.stack([own.by_class for own in tested], axis=2)
    covariance = covariance_over_videos(design, accuracies, by_class)
    return Comparison(list(settings), tested, covariance, design.few_sources)


def compare_all(
    settings: Iterable[Setting], measured: Callable[[Setting], Measured] = Measured.read
) -> dict[Place, Comparison]:
    """Compare the methods of each benchmark, way and shot, by these."""
    groups: dict[Place, list[Setting]] = {}
    for setting in settings:
        groups.setdefault((setting.benchmark, setting.way, setting.shot), []).append(setting)
    return {place: compare(members, measured) for place, members in groups.items()}


def pairs(place: Place, found: Comparison) -> pd.DataFrame:
    """Return every two methods of a test; columns of `COMPARISON_COLUMNS`."""
    matrices = (
        found.differences, found.differences_over_episodes, found.differences_over_videos,
        found.differences_over_seeds, found.differences_over_draws, found.p, found.p_holm, found.apart,
        *found.detectable(),
    )  # fmt: skip
    rows = []
    for before, after in combinations(range(len(found.settings)), 2):
        names = [name for own in (after, before) for name in (found.settings[own].backbone, found.settings[own].title)]
        rows.append((*place, *names, *(own[after, before] for own in matrices), len(found.measured[0].episodes)))
    table = pd.DataFrame(rows, columns=COMPARISON_COLUMNS)
    return table.assign(apart=table["apart"].map({True: "yes", False: "no"}))


def write_statistics(settings: Sequence[Setting], comparisons: Path, classes: Path) -> None:
    """Write paired comparisons and accuracies by class as CSV. Each file of predictions is read once for both."""
    sources, by_class = cache(sources_of), {}

    def measured(setting: Setting) -> Measured:
        tables = setting_predictions(setting, ASKED_COLUMNS)
        by_class[setting] = told_of(Asked.of(tables), sources(setting.manifest)).assign(**setting.named)
        return Measured.of(setting, tables)

    compared = compare_all(settings, measured)
    of_pairs = pd.concat([pairs(place, found) for place, found in compared.items()], ignore_index=True)
    of_pairs = of_pairs.infer_objects()  # a test of a single method has no pair, and columns of no type
    of_classes = pd.concat([by_class[setting] for setting in settings], ignore_index=True)
    for table, path in ((of_pairs, comparisons), (of_classes[CLASS_COLUMNS], classes)):
        with atomic_csv(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
