"""Ten shapes as signed distance functions, and drawing one into a picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _half_planes(x: Array, y: Array, sides: int, inradius: float) -> Array:
    """A regular polygon: the largest distance to any of its sides."""
    angles = 2 * np.pi * np.arange(sides) / sides - np.pi / 2
    distances = [x * np.float32(np.cos(a)) - y * np.float32(np.sin(a)) for a in angles]
    return np.maximum.reduce(distances) - np.float32(inradius)


def _disc(x: Array, y: Array, radius: float) -> Array:
    return np.hypot(x, y) - np.float32(radius)


def _box(x: Array, y: Array, half_width: float, half_height: float) -> Array:
    return np.maximum(np.abs(x) - np.float32(half_width), np.abs(y) - np.float32(half_height))


def _star(x: Array, y: Array) -> Array:
    tenth = np.float32(np.pi / 5)
    # Fold the plane into one tenth of the star; its edge runs from an inner corner to a tip.
    angle = np.abs(np.mod(np.arctan2(x, -y), 2 * tenth) - tenth)
    radius = np.hypot(x, y)
    inner, tip = np.array([0.42, 0.0]), np.array([np.cos(tenth), np.sin(tenth)])
    normal = np.array([tip[1] - inner[1], inner[0] - tip[0]])
    normal = (normal / np.linalg.norm(normal)).astype(np.float32)
    return normal[0] * (radius * np.cos(angle) - np.float32(inner[0])) + normal[1] * radius * np.sin(angle)


def _heart(x: Array, y: Array) -> Array:
    half = np.float32(np.sqrt(0.5))
    u, v = (x - y) * half, (x + y) * half  # a square on its corner, and two discs on its upper sides
    discs = np.minimum(_disc(u - 0.0, v + 0.55, 0.55), _disc(u - 0.55, v - 0.0, 0.55))
    return np.minimum(_box(u, v, 0.55, 0.55), discs)


SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "circle": lambda x, y: _disc(x, y, 0.85),
    "square": lambda x, y: _box(x, y, 0.75, 0.75),
    "triangle": lambda x, y: _half_planes(x, y - 0.15, 3, 0.5),
    "hexagon": lambda x, y: _half_planes(x, y, 6, 0.85),
    "star": _star,
    "cross": lambda x, y: np.minimum(_box(x, y, 0.3, 0.95), _box(x, y, 0.95, 0.3)),
    "ring": lambda x, y: np.abs(_disc(x, y, 0.7)) - np.float32(0.2),
    "heart": _heart,
    "crescent": lambda x, y: np.maximum(_disc(x, y, 0.9), -_disc(x - np.float32(0.45), y, 0.75)),
    "pill": lambda x, y: np.hypot(np.maximum(np.abs(x) - np.float32(0.5), 0), y) - np.float32(0.42),
}


@dataclass(frozen=True)
class Pose:
    """Position, size and angle of a shape.

    Centre and radius are in units of half the picture's shorter side, the angle is in radians.
    """

    x: float = 0.0
    y: float = 0.0
    radius: float = 0.4
    angle: float = 0.0
    opacity: float = 1.0


def draw(picture: Array, shape: str, pose: Pose, colour: Array) -> None:
    """Blend a shape into `picture` (height, width, 3), values 0 to 255, in place; edges are antialiased."""
    height, width = picture.shape[:2]
    half = min(height, width) / 2
    radius = max(pose.radius * half, 0.5)  # pixels
    centre_x, centre_y = width / 2 + pose.x * half, height / 2 + pose.y * half
    reach = radius * 1.5 + 2  # only this far can the shape change a pixel
    left, right = int(max(centre_x - reach, 0)), int(min(centre_x + reach, width))
    top, bottom = int(max(centre_y - reach, 0)), int(min(centre_y + reach, height))
    if left >= right or top >= bottom:
        return
    x = (np.arange(left, right, dtype=np.float32) + 0.5 - np.float32(centre_x)) / np.float32(radius)
    y = ((np.arange(top, bottom, dtype=np.float32) + 0.5 - np.float32(centre_y)) / np.float32(radius))[:, None]
    cos, sin = np.float32(np.cos(pose.angle)), np.float32(np.sin(pose.angle))
    distance = SHAPES[shape](x * cos + y * sin, y * cos - x * sin) * np.float32(radius)  # pixels
    cover = np.clip(0.5 - distance, 0, 1)[..., None] * np.float32(pose.opacity)
    region = picture[top:bottom, left:right]
    region += cover * (colour - region)
