"""Windows, mirrored frames and changed colours."""

import colorsys
import itertools

import numpy as np
import pytest
import torch

from fsar.errors import UserError
from fsar.videos.augmentation import colour_jitter, crop, draw_colour_jitter, flip


def test_windows():
    rng = np.random.default_rng(0)
    assert crop(10, 6, None) == (2, 2) and crop(6, 6, rng) == (0, 0)
    drawn = {crop(8, 6, rng) for _ in range(200)}
    assert drawn == set(itertools.product(range(3), range(3)))
    with pytest.raises(UserError, match=r"set frames\.size to 16 or more"):
        crop(10, 16, None)


def test_flips():
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 10, 12, 3), dtype=np.uint8))
    flips = [flip(frames, np.random.default_rng(seed)) for seed in range(8)]
    mirrored = sum(np.array_equal(f, frames.numpy()[:, :, ::-1]) for f in flips)
    assert 0 < mirrored < 8 and mirrored + sum(torch.equal(f, frames) for f in flips) == 8


def plain_jitter(frame, jitter):
    """Colour jitter of one frame, a list of (red, green, blue) from 0 to 1, pixel by pixel."""

    def grey(pixel):
        return sum(weight * value for weight, value in zip((0.299, 0.587, 0.114), pixel, strict=True))

    def blend(pixel, other, factor):
        return [min(max(factor * value + (1 - factor) * other, 0), 1) for value in pixel]

    if jitter.grey:
        frame = [[grey(pixel)] * 3 for pixel in frame]
    for name, amount in jitter.steps:
        average = sum(map(grey, frame)) / len(frame)
        if name == "hue":
            turned = [colorsys.rgb_to_hsv(*pixel) for pixel in frame]
            frame = [colorsys.hsv_to_rgb((hue + amount) % 1, saturation, value) for hue, saturation, value in turned]
        else:
            other = {"brightness": lambda _: 0, "contrast": lambda _, a=average: a, "saturation": grey}[name]
            frame = [blend(pixel, other(pixel), amount) for pixel in frame]
    return frame


def test_colour_jitter_equals_the_plain_one():
    """Each frame alone, to less than the half level of rounding to bytes and the fourth digit of a grey weight."""
    clip = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3), dtype=np.uint8))
    greyed = 0
    for seed in range(12):
        jitter = draw_colour_jitter(np.random.default_rng(seed))
        greyed += jitter.grey
        for ours, frame in zip(colour_jitter(clip, jitter), clip, strict=True):
            expected = plain_jitter((frame.flatten(0, 1) / 255).tolist(), jitter)
            assert np.abs(ours.flatten(0, 1).numpy() - 255 * np.array(expected)).max() < 0.6
    assert 0 < greyed < 12


def test_colour_jitter_is_drawn_as_published():
    drawn = [draw_colour_jitter(np.random.default_rng(seed)) for seed in range(400)]
    for name, low, high in (
        ("brightness", 0.5, 1.5),
        ("contrast", 0.5, 1.5),
        ("saturation", 0.5, 1.5),
        ("hue", -0.25, 0.25),
    ):
        amounts = [dict(jitter.steps)[name] for jitter in drawn]
        width = high - low
        assert low <= min(amounts) < low + width / 20 and high - width / 20 < max(amounts) <= high
    assert len({tuple(name for name, _ in jitter.steps) for jitter in drawn}) == 24  # in every order
    assert 0.22 < sum(jitter.grey for jitter in drawn) / len(drawn) < 0.38
