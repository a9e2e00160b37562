"""Which frames of a video a model looks at."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fsar.config import SamplingConfig
from fsar.videos.sampling import centres, positions_at_test, sample_positions


@given(length=st.integers(1, 400), fps=st.sampled_from([0.0, 12.0, 25.0, 30.0]), seed=st.integers(0, 9))
def test_sampling_stays_inside_and_in_order(length, fps, seed):
    for strategy, training in itertools.product(("segments", "span"), (True, False)):
        config = SamplingConfig(strategy=strategy)
        positions = sample_positions(length, fps, config, np.random.default_rng(seed), training)
        assert len(positions) == 8 and (np.diff(positions) >= 0).all()
        assert positions[0] >= 0 and positions[-1] < length


def test_segments_take_one_frame_of_each():
    positions = sample_positions(45, 12, SamplingConfig(), np.random.default_rng(0), training=True)
    assert list(positions // 5) == list(range(8))  # segments of ⌊45 / 8⌋ = 5 frames


def test_span_as_published():
    # 10 s at 30 fps: the span is min(8 · 35 · 30 / 12, 8 ⌊300 / 8⌋) = 296 frames, the slack 5, the start 2.5
    config = SamplingConfig(strategy="span")
    positions = sample_positions(300, 30, config, np.random.default_rng(0), training=False)
    assert list(positions) == [int(2.5 + i * (296 - 35) / 7) for i in range(8)]


@pytest.mark.parametrize("fps", [23.976, 25, 29.97, 30, 60])
def test_span_in_the_arithmetic_of_the_public_code(fps):
    """In single precision, clamped before it is cut to integers; shorter videos differ (docs/fidelity.md)."""
    for length in range(40, 700):
        span = min(8 * 35 * fps / 12, length // 8 * 8)
        start = (length - span + 1) / 2
        expected = torch.linspace(start, start + span - 35, 8).clamp(0, length - 1).long()
        ours = sample_positions(length, fps, SamplingConfig(strategy="span"), np.random.default_rng(0), training=False)
        assert list(ours) == expected.tolist(), length


def test_test_positions_depend_on_the_video_and_the_seed_alone():
    draws = {(v, s): tuple(positions_at_test(v, 400, 30, SamplingConfig(), s)) for v in "ab" for s in (0, 1)}
    assert len(set(draws.values())) == 4
    assert draws["a", 0] == tuple(positions_at_test("a", 400, 30, SamplingConfig(), 0))


@pytest.mark.parametrize("at_test", ["drawn", "centres"])
def test_a_span_at_test_is_in_the_middle_of_every_video(at_test):
    """It follows neither the seed nor the name; in training it lies anywhere, early and late."""
    config = SamplingConfig(strategy="span", at_test=at_test)
    found = {tuple(positions_at_test(name, 900, 30, config, seed)) for name in ("a", "b", "c") for seed in range(3)}
    middle = sample_positions(900, 30, config, np.random.default_rng(0), training=False)
    assert found == {tuple(middle)} and abs(middle[0] + middle[-1] + 35 - 900) <= 2
    starts = [sample_positions(900, 30, config, np.random.default_rng(s), training=True)[0] for s in range(30)]
    assert min(starts) < middle[0] / 2 and max(starts) > middle[0] * 1.5


def test_each_segment_has_a_draw_of_its_own_and_the_centres_are_in_the_middle():
    config = SamplingConfig()
    places = sample_positions(800, 30, config, np.random.default_rng(0), training=True) % 100
    assert len(set(places)) > 4
    for length, expected in (
        (8, range(8)),
        (16, range(1, 17, 2)),
        (80, range(5, 80, 10)),
        (4, [0, 0, 1, 1, 2, 2, 3, 3]),
    ):
        assert list(centres(length, 8)) == list(expected)
        at_test = SamplingConfig(at_test="centres")
        assert list(positions_at_test("a", length, 30, at_test, 0)) == list(expected)
