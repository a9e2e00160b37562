"""Spatial augmentation of a clip: the same for all its frames."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from fsar.errors import UserError


def crop(side: int, size: int, rng: np.random.Generator | None) -> tuple[int, int]:
    """Return (top, left) of a `size` × `size` window of square frames: at random with `rng`, else in the centre.

    Raises:
        UserError: the frames are smaller than the window.
    """
    if side < size:
        raise UserError(
            f"The backbone looks at {size} × {size} pixels, but stored frames have {side} × {side}; "
            f"set frames.size to {size} or more"
        )
    if rng is None:
        return (side - size) // 2, (side - size) // 2
    return int(rng.integers(side - size + 1)), int(rng.integers(side - size + 1))


def flip(frames: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror (T, H, W, 3) frames left to right with probability 1/2."""
    return frames.flip(2) if rng.random() < 0.5 else frames


class ColourJitter(NamedTuple):
    """One draw of colour jitter, for all frames of a clip.

    Attributes:
        grey: whether colour is removed first.
        steps: (brightness, contrast or saturation, factor) and (hue, shift in turns), in the order of application.
    """

    grey: bool
    steps: list[tuple[str, float]]


def draw_colour_jitter(rng: np.random.Generator) -> ColourJitter:
    """Draw a change of brightness, contrast, saturation (by up to 0.5) and hue (0.25), and grey (probability 0.3)."""
    factors = {name: rng.uniform(0.5, 1.5) for name in ("brightness", "contrast", "saturation")}
    steps = [*factors.items(), ("hue", rng.uniform(-0.25, 0.25))]
    return ColourJitter(bool(rng.random() < 0.3), [steps[place] for place in rng.permutation(len(steps))])


def colour_jitter(frames: Tensor, jitter: ColourJitter) -> Tensor:
    """Change the colours of (T, H, W, 3) bytes, as published: grey first, then the steps, in floats, rounded once."""
    import torchvision.transforms.v2.functional as transforms  # slow to import (a second) and rarely needed

    clip = frames.permute(0, 3, 1, 2) / 255  # (T, 3, H, W)
    if jitter.grey:
        clip = transforms.rgb_to_grayscale(clip, num_output_channels=3)
    for name, amount in jitter.steps:
        clip = getattr(transforms, f"adjust_{name}")(clip, amount)
    return clip.mul(255).round_().to(frames.dtype).permute(0, 2, 3, 1)
