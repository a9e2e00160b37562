"""Clips with a class, from which the demo's small encoders of video learn, as encoders learn from Kinetics.

A clip shows one shape in one action, evenly paced, on a plain ground or in front of mild clutter. Clips share no scene,
shake, noise or compression with the demo's videos.
"""

import numpy as np
from numpy.typing import NDArray

from fsar.sources.demo.actions import ACTIONS
from fsar.sources.demo.scene import scene, visible_colour
from fsar.sources.demo.shapes import SHAPES, Pose, draw
from fsar.sources.demo.stills import MILD, PLAIN


def render_clip(rng: np.random.Generator, frames: int, size: int) -> tuple[NDArray[np.uint8], int, int]:
    """Render one clip.

    Returns:
        (frames, size, size, 3) RGB bytes, and the numbers of its shape and of its action.
    """
    behind = scene(rng, size, size, MILD if rng.random() < 0.5 else PLAIN)
    colour = visible_colour(rng, behind)
    shape, action = int(rng.integers(len(SHAPES))), int(rng.integers(len(ACTIONS)))
    rest = Pose(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), rng.uniform(0.25, 0.55), rng.uniform(-0.4, 0.4))
    clip = np.empty((frames, size, size, 3), np.uint8)
    for number in range(frames):
        picture = behind.copy()
        progress = (number + rng.uniform(0, 1)) / frames
        draw(picture, list(SHAPES)[shape], list(ACTIONS.values())[action](rest, progress), colour)
        clip[number] = np.clip(picture, 0, 255)
    return clip, shape, action
