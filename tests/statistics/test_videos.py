"""The variance over test videos, against data sets that are drawn anew."""

import numpy as np
import pytest

from fsar.statistics.design import Design
from fsar.statistics.made_up import Size, class_means, one_data_set
from fsar.statistics.variance import of_parts
from fsar.statistics.videos import covariance_over_videos

WHICH = ("of_accuracies", "of_differences")


@pytest.mark.parametrize("size", [Size(24, 12, 1, 1), Size(24, 12, 3, 1)])
def test_the_estimated_variance_is_that_over_data_sets(size):
    """Of 40 data sets with the same classes: their own spread, and what each of them says of it."""
    rng = np.random.default_rng(0)
    means = class_means(rng, size.classes) * 0.6
    found = [one_data_set(rng, means, size, episodes=600) for _ in range(40)]
    accuracies = np.array([own for own, _ in found])
    of_accuracies, of_differences = ([getattr(own, name) for _, own in found] for name in WHICH)
    for values, variances, place in (
        (accuracies[:, 0], of_accuracies, 0),
        (accuracies[:, 0] - accuracies[:, 1], of_differences, (0, 1)),
    ):
        spread = np.var(values, ddof=1)
        assert 0.6 < np.mean([own.videos[place] for own in variances]) / spread < 1.7
        assert np.mean([own.episodes[place] for own in variances]) / spread < 0.6


def test_a_first_order_effect_of_videos_is_found_exactly():
    """By hand: one class, four videos with a value each, and every episode has one: the variance of a mean."""
    values = np.array([1.0, 2.0, 3.0, 6.0])
    sources = np.tile(np.arange(4), 500)
    accuracies = values[sources][:, None]
    design = Design(np.zeros((2000, 1), np.int64), sources[:, None, None])
    # The accuracy of the class is taken away as one number, so the videos stay.
    found = covariance_over_videos(design, accuracies, accuracies[:, None])
    variance = found.of_accuracies
    assert variance.videos - variance.episodes == pytest.approx(values.var(ddof=1) / 4, rel=0.01)
    assert variance.freedom == 3


def test_a_film_over_classes_is_drawn_as_one():
    """By hand: four films with videos in both classes and a value each: the variance is that of four draws."""
    values = np.array([1.0, 2.0, 3.0, 6.0])
    rng = np.random.default_rng(0)
    films, classes = rng.integers(4, size=4000), rng.integers(2, size=4000)
    accuracies = values[films][:, None]
    for names, drawn in ((films, 4), (films + 4 * classes, 8)):
        design = Design(classes[:, None], names[:, None, None])
        variance = covariance_over_videos(design, accuracies, accuracies[:, None]).of_accuracies
        assert variance.videos - variance.episodes == pytest.approx(values.var(ddof=1) / drawn, rel=0.05)


def test_the_freedom_follows_the_spread_of_the_classes():
    """Parts alike: what the sources allow. Parts that differ: less. An estimate below that of the episodes: theirs."""
    for parts, videos, freedom in (
        ([1.0, 1.0, 1.0, 1.0], 5.0, 12.0),
        ([0.0, 0.0, 0.0, 4.0], 5.0, 2 * 5**2 / (4 * 4)),
        ([-1.0, -1.0, -1.0, -1.0], 1.0, 12.0),
    ):
        found = of_parts(np.array(1.0), np.array(parts), np.array(0.0), 12.0)
        assert (found.videos, found.freedom) == (videos, pytest.approx(freedom))


def test_what_cannot_be_told_is_not_a_number():
    """With a single source, or with the same videos in every episode, nothing shows how much videos matter."""
    accuracies = np.array([[10.0], [20.0], [40.0]])
    for sources in ([[[0]], [[0]], [[0]]], [[[0, 1]], [[0, 1]], [[0, 1]]]):
        design = Design(np.zeros((3, 1), np.int64), np.array(sources))
        assert np.isnan(covariance_over_videos(design, accuracies, accuracies[:, None]).of_accuracies.videos).all()
