"""Spatial augmentation of a clip: the same for all its frames."""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from fsar.errors import UserError


def crop(frames: NDArray[np.uint8], size: int, rng: np.random.Generator | None) -> NDArray[np.uint8]:
    """Cut a `size` × `size` window from (T, H, W, 3) frames: anywhere with `rng`, in the centre without.

    Raises:
        UserError: the frames are smaller than the window.
    """
    height, width = frames.shape[1:3]
    if height < size or width < size:
        raise UserError(
            f"The backbone looks at {size} × {size} pixels, but stored frames have {height} × {width}; "
            f"set frames.size to {size} or more"
        )
    if rng is None:
        top, left = (height - size) // 2, (width - size) // 2
    else:
        top, left = (int(rng.integers(side - size + 1)) for side in (height, width))
    return frames[:, top : top + size, left : left + size]


def flip(frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Mirror (T, H, W, 3) frames left to right, in half of the cases."""
    return frames[:, :, ::-1] if rng.random() < 0.5 else frames


def colour_jitter(frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change brightness, contrast, saturation (each by up to 0.5), hue (0.25) and, in 3 of 10 cases, drop colour."""
    import torchvision.transforms.v2.functional as transforms  # takes a second to import, and is rarely wanted

    clip = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)  # (T, 3, H, W)
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
    return cast(NDArray[np.uint8], clip.permute(0, 2, 3, 1).contiguous().numpy())
