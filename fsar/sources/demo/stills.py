"""Stills with captions, from which the demo's small CLIP learns, as CLIP learned from photographs.

A still shows one shape, on a plain ground or in front of mild clutter. Captions name the shape, and no colours: the
videos' classes have none. If the caption names an action, the still hints at it as a photograph might: earlier
moments show as a faint trail. Stills share no scene, shake, noise or compression with the videos; bridging
that gap is what fine-tuning on episodes is for.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import simplejpeg

from fsar.files import write_parquet
from fsar.sources.demo.actions import ACTIONS, class_name
from fsar.sources.demo.scene import Clutter, scene, visible_colour
from fsar.sources.demo.shapes import SHAPES, Array, Pose, draw

SCHEMA = pa.schema([("jpeg", pa.binary()), ("caption", pa.string())])

PLAIN = Clutter(textures=(0, 0, 0), scraps=(0, 0), radius=(0, 0), bars=(0, 0), contrast=0)
MILD = Clutter(textures=(30, 15, 8), scraps=(0, 2), radius=(0.06, 0.18), bars=(0, 1), contrast=40)


def render_still(rng: np.random.Generator, size: int) -> tuple[Array, str]:
    """Render one still.

    Returns:
        (size, size, 3) picture, values 0 to 255, and its caption.
    """
    picture = scene(rng, size, size, MILD if rng.random() < 0.5 else PLAIN)
    colour = visible_colour(rng, picture)
    shape = str(rng.choice(list(SHAPES)))
    rest = Pose(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), rng.uniform(0.25, 0.55), rng.uniform(-0.4, 0.4))
    if rng.random() < 0.5:
        draw(picture, shape, rest, colour)
        return picture, str(rng.choice([f"a photo of {shape}", f"a {shape}"]))
    action = str(rng.choice(list(ACTIONS)))
    now = rng.uniform(0.5, 1.0)
    for before, opacity in ((0.4, 0.12), (0.2, 0.25), (0.0, 1.0)):
        pose = ACTIONS[action](rest, now - before)
        draw(picture, shape, Pose(pose.x, pose.y, pose.radius, pose.angle, pose.opacity * opacity), colour)
    name = class_name(shape, action)
    return picture, str(rng.choice([f"a photo of {name}", f"a {name}"]))


def render_stills(count: int, size: int, seed: int, path: Path) -> None:
    """Write `count` stills of `size` × `size` pixels with their captions as Parquet; a pure function of `seed`."""
    rows = []
    for number in range(count):
        picture, caption = render_still(np.random.default_rng([seed, 2, number]), size)
        jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(np.clip(picture, 0, 255), np.uint8), quality=95)
        rows.append((jpeg, caption))
    write_parquet(path, pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)
