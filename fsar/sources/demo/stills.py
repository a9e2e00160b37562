"""Clean still pictures with captions: what the demo's small CLIP learns from, as CLIP learned from photographs.

A still shows one shape on a plain background. Where the caption names an action, the still hints at it as a
photograph might: earlier moments are left behind as a faint trail. Stills share no scene, clutter, shake, noise or
compression with the videos; bridging that gap is what fine-tuning on episodes is for.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import simplejpeg

from fsar.files import write_parquet
from fsar.sources.demo.actions import ACTIONS, class_name
from fsar.sources.demo.shapes import SHAPES, Array, Pose, draw

SCHEMA = pa.schema([("jpeg", pa.binary()), ("caption", pa.string())])

COLOURS = {
    "red": (220, 40, 40),
    "green": (50, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (235, 215, 50),
    "orange": (245, 145, 30),
    "purple": (140, 60, 180),
    "white": (240, 240, 240),
    "black": (20, 20, 20),
}


def render_still(rng: np.random.Generator, size: int) -> tuple[Array, str]:
    """Render one still.

    Returns:
        (size, size, 3) picture, values 0 to 255, and its caption.
    """
    names = list(COLOURS)
    colour_name, back_name = (names[i] for i in rng.choice(len(names), 2, replace=False))
    colour, back = (
        np.clip(np.array(COLOURS[name], np.float32) + rng.normal(0, 12, 3), 0, 255).astype(np.float32)
        for name in (colour_name, back_name)
    )
    shape = str(rng.choice(list(SHAPES)))
    rest = Pose(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), rng.uniform(0.25, 0.55), rng.uniform(-0.4, 0.4))
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = back + (colour - back) * np.float32(rng.uniform(0, 0.25))
    if rng.random() < 0.5:
        draw(picture, shape, rest, colour)
        return picture, str(rng.choice([f"a photo of a {colour_name} {shape}", f"a photo of {shape}", f"a {shape}"]))
    action = str(rng.choice(list(ACTIONS)))
    now = rng.uniform(0.5, 1.0)
    for before, opacity in ((0.4, 0.12), (0.2, 0.25), (0.0, 1.0)):
        pose = ACTIONS[action](rest, now - before)
        draw(picture, shape, Pose(pose.x, pose.y, pose.radius, pose.angle, pose.opacity * opacity), colour)
    name = class_name(shape, action)
    return picture, str(rng.choice([f"a photo of {name}", f"a photo of a {colour_name} {name}", f"a {name}"]))


def render_stills(count: int, size: int, seed: int, path: Path) -> None:
    """Write `count` stills of `size` × `size` pixels with their captions as Parquet; a pure function of `seed`."""
    rows = []
    for number in range(count):
        picture, caption = render_still(np.random.default_rng([seed, 2, number]), size)
        jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(np.clip(picture, 0, 255), np.uint8), quality=95)
        rows.append((jpeg, caption))
    write_parquet(path, pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)
