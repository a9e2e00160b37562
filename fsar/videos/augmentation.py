"""Spatial augmentation of a clip: the same for all its frames."""

import numpy as np
from torch import Tensor

from fsar.errors import UserError


def crop(side: int, size: int, rng: np.random.Generator | None) -> tuple[int, int]:
    """Return (top, left) of a `size` × `size` window of square frames: anywhere with `rng`, in the centre without.

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
    """Mirror (T, H, W, 3) frames left to right, in half of the cases."""
    return frames.flip(2) if rng.random() < 0.5 else frames


def colour_jitter(frames: Tensor, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast, saturation (each by up to 0.5), hue (0.25) and, in 3 of 10 cases, drop colour."""
    import torchvision.transforms.v2.functional as transforms  # takes a second to import, and is rarely wanted

    clip = frames.permute(0, 3, 1, 2).contiguous()  # (T, 3, H, W)
    steps = [
        lambda c: transforms.adjust_brightness(c, rng.uniform(0.5, 1.5)),
        lambda c: transforms.adjust_contrast(c, rng.uniform(0.5, 1.5)),
        lambda c: transforms.adjust_saturation(c, rng.uniform(0.5, 1.5)),
        lambda c: transforms.adjust_hue(c, rng.uniform(-0.25, 0.25)),
    ]
    for step in rng.permutation(len(steps)):
        clip = steps[step](clip)
    if rng.random() < 0.3:
        clip = transforms.rgb_to_grayscale(clip, num_output_channels=3)
    return clip.permute(0, 2, 3, 1)
