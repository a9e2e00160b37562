"""Resizing without antialiasing, as the public code does it: each new pixel is computed from four old ones.

When shrinking, FFmpeg's scaler averages over all old pixels that a new one covers (antialiasing), so it is smoother.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray


def interpolate(plane: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize (H, W) bytes to (size, size), as torch's `interpolate(mode="bilinear")`, rounded to bytes."""
    top, bottom, down = _neighbours(plane.shape[0], size)
    left, right, across = _neighbours(plane.shape[1], size)
    # Only the rows in use become floats.
    upper, lower = plane[top].astype(np.float32), plane[bottom].astype(np.float32)  # (size, W)
    rows = _between(upper, lower, down[:, None])
    pixels = _between(rows.take(left, axis=1), rows.take(right, axis=1), across)
    return cast("NDArray[np.uint8]", np.rint(pixels, out=pixels).astype(np.uint8))


def _between(
    first: NDArray[np.float32], second: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Interpolate between two arrays, in the memory of the second."""
    second -= first
    second *= share
    second += first
    return second


def _neighbours(length: int, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return, for each of `size` new positions, two neighbours of `length` old ones, and the weight of the second."""
    place = np.maximum((np.arange(size) + 0.5) * length / size - 0.5, 0)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, length - 1), (place - first).astype(np.float32)
