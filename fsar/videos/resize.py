"""Resizing without antialiasing, as the public code does it: each pixel comes from four, however many it stands for.

FFmpeg's scaler averages over all pixels that a smaller picture's pixel stands for (it antialiases), and so is smoother.
"""

from typing import cast

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray


def without_antialias(frame: av.VideoFrame, size: int) -> av.VideoFrame:
    """Return a frame in RGB, resized to `size` × `size`.

    Colours are converted before, at full size and in FFmpeg's usual, less exact way: so decord does, to the last bit.
    """
    full = frame.reformat(format="rgb24", interpolation=Interpolation.BILINEAR, threads=1).to_ndarray()
    return av.VideoFrame.from_ndarray(interpolate(cast("NDArray[np.uint8]", full), size), format="rgb24")


def interpolate(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize (H, W, 3) bytes to (size, size, 3), as torch's `interpolate(mode="bilinear")`, rounded to bytes."""
    top, bottom, down = _neighbours(picture.shape[0], size)
    left, right, across = _neighbours(picture.shape[1], size)
    # Only the rows that are looked at become floats.
    upper, lower = picture[top].astype(np.float32), picture[bottom].astype(np.float32)  # (size, W, 3)
    rows = upper + (lower - upper) * down[:, None, None]
    pixels = rows[:, left] + (rows[:, right] - rows[:, left]) * across[:, None]
    return cast("NDArray[np.uint8]", np.rint(pixels).astype(np.uint8))


def _neighbours(length: int, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return, for each of `size` places, the two of `length` that it lies between, and how near it is to the second."""
    place = np.maximum((np.arange(size) + 0.5) * length / size - 0.5, 0)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, length - 1), (place - first).astype(np.float32)
