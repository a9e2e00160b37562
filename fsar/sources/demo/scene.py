"""Backgrounds of the demo: uneven light, texture, bars and scraps of other shapes."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fsar.sources.demo.shapes import SHAPES, Array, Pose, draw


@dataclass(frozen=True)
class Clutter:
    """How cluttered a scene is.

    Attributes:
        textures: strengths of noise that varies over a half, a sixth and a twenty-fourth of the picture.
        scraps: least and greatest number.
        radius: smallest and largest of a scrap, in units of half the picture's shorter side.
        bars: least and greatest number.
        contrast: the most by which a bar is lighter or darker.
    """

    textures: tuple[float, float, float]
    scraps: tuple[int, int]
    radius: tuple[float, float]
    bars: tuple[int, int]
    contrast: float

    def times(self, factor: float) -> "Clutter":
        """Return a scene with stronger textures and bars and more scraps and bars, or weaker and fewer; 1: the same."""
        return replace(
            self,
            textures=(factor * self.textures[0], factor * self.textures[1], factor * self.textures[2]),
            scraps=(round(factor * self.scraps[0]), round(factor * self.scraps[1])),
            bars=(round(factor * self.bars[0]), round(factor * self.bars[1])),
            contrast=factor * self.contrast,
        )


def smooth_noise(coarse: Array, height: int, width: int) -> NDArray[np.float64]:
    """Return (height, width) noise that runs smoothly through the values of `coarse`, (cells + 1, cells + 1)."""
    r, dr = _between(height, len(coarse) - 1)
    c, dc = _between(width, len(coarse) - 1)
    top = coarse[r][:, c] * (1 - dc) + coarse[r][:, c + 1] * dc
    bottom = coarse[r + 1][:, c] * (1 - dc) + coarse[r + 1][:, c + 1] * dc
    return top * (1 - dr[:, None]) + bottom * dr[:, None]


@lru_cache
def _between(length: int, cells: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each place along a side of the picture its cell, and how far in that cell it lies (0 to 1)."""
    places = np.linspace(0, cells, length, dtype=np.float32)
    cell = np.minimum(places.astype(int), cells - 1)
    return cell, places - cell


def scene(rng: np.random.Generator, height: int, width: int, clutter: Clutter) -> Array:
    """Return a (height, width, 3) scene of any colour, values about 0 to 255."""
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = rng.uniform(50, 200, 3)
    for cells, strength in zip((2, 6, 24), clutter.textures, strict=True):
        for channel in range(3):
            coarse = rng.uniform(-1, 1, (cells + 1, cells + 1)).astype(np.float32)  # drawn whether it is seen or not
            if strength:
                picture[..., channel] += strength * smooth_noise(coarse, height, width)
    for _ in range(rng.integers(clutter.scraps[0], clutter.scraps[1] + 1)):
        pose = Pose(
            x=rng.uniform(-1.3, 1.3),
            y=rng.uniform(-1.3, 1.3),
            radius=rng.uniform(*clutter.radius),
            angle=rng.uniform(0, 6.3),
        )
        draw(picture, str(rng.choice(list(SHAPES))), pose, rng.uniform(20, 235, 3).astype(np.float32))
    for _ in range(rng.integers(clutter.bars[0], clutter.bars[1] + 1)):
        top, left = rng.integers(0, height), rng.integers(0, width)
        thickness = rng.integers(2, 5)
        bar = np.s_[top : top + thickness, :] if rng.random() < 0.5 else np.s_[:, left : left + thickness]
        picture[bar] += rng.uniform(-clutter.contrast, clutter.contrast)
    return picture


def visible_colour(rng: np.random.Generator, picture: Array) -> Array:
    """Return a colour, (3,), that stands out from the mean of a picture."""
    colour = rng.uniform(0, 255, 3).astype(np.float32)
    while np.abs(colour - picture.mean(axis=(0, 1))).max() < 90:
        colour = rng.uniform(0, 255, 3).astype(np.float32)
    return colour
