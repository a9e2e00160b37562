"""The variance over test videos, against data sets that are drawn anew."""

import numpy as np
import pytest

from fsar.statistics.design import Design
from fsar.statistics.videos import covariance_over_videos
from perf.coverage import Size, one_data_set


@pytest.mark.parametrize("of_source", [1, 3])
def test_the_estimated_variance_is_that_over_data_sets(of_source):
    """Of 40 data sets with the same classes: their own spread, and what each of them says of it."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(24, 16)) * 0.5
    found = [one_data_set(rng, means, Size(24, 12, of_source, 1), episodes=600) for _ in range(40)]
    for weights in (np.array([1, 0]), np.array([1, -1])):
        spread = np.var([weights @ accuracies for accuracies, *_ in found], ddof=1)
        videos = np.mean([weights @ own @ weights for _, _, own, _ in found])
        episodes = np.mean([weights @ own @ weights for _, own, _, _ in found])
        assert 0.6 < videos / spread < 1.7 and episodes / spread < 0.6


def test_a_first_order_effect_of_videos_is_found_exactly():
    """By hand: one class, four videos with a value each, and every episode has one: the variance of a mean."""
    values = np.array([1.0, 2.0, 3.0, 6.0])
    sources = np.tile(np.arange(4), 500)
    accuracies = values[sources][:, None]
    design = Design(np.zeros((2000, 1), np.int64), sources[:, None, None])
    # The accuracy of the class is taken away as one number, so the videos stay.
    found = covariance_over_videos(design, accuracies, accuracies[:, None])
    assert found.videos - found.episodes == pytest.approx(values.var(ddof=1) / 4, rel=0.01)
    assert found.freedom == 3


def test_what_cannot_be_told_is_not_a_number():
    """With a single source, or with the same videos in every episode, nothing shows how much videos matter."""
    accuracies = np.array([[10.0], [20.0], [40.0]])
    for sources in ([[[0]], [[0]], [[0]]], [[[0, 1]], [[0, 1]], [[0, 1]]]):
        design = Design(np.zeros((3, 1), np.int64), np.array(sources))
        assert np.isnan(covariance_over_videos(design, accuracies, accuracies[:, None]).videos).all()
