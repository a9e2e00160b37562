"""Turns pictures the right way up, as their display matrix asks: a transposition and two reflections."""

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from numpy.typing import NDArray

# A matrix off by more than this, in degrees, is oblique; the ffmpeg program turns by any angle from 1 on.
RIGHT = 0.5
# Least sine of the angle between the axes, and least ratio of their lengths; below these a matrix is damaged.
LEAST_SINE, LEAST_RATIO = 0.5, 0.05


class Orientation(NamedTuple):
    """How a picture is turned, in this order: rows and columns swapped, then rows reversed, then columns."""

    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False

    def apply(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a plane, (H, W), to (H, W) or (W, H)."""
        turned = plane.T if self.transposed else plane
        return np.ascontiguousarray(turned[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height as displayed."""
        return (height, width) if self.transposed else (width, height)


UPRIGHT = Orientation()


class Orientations:
    """Finds the orientation of each picture of a video; `notes` has remarks on odd matrices.

    Side data are read only at the start of a group of pictures: for each picture it took a tenth of decoding time.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._current: Orientation | None = None
        self._key = False  # whether the last picture was a key frame

    def of(self, picture: av.VideoFrame) -> Orientation:
        """Return the orientation of a picture."""
        key = picture.key_frame
        if self._current is None or (key and not self._key):
            self._current = self._read(picture)
        self._key = key
        return self._current

    def _read(self, picture: av.VideoFrame) -> Orientation:
        for data in cast(Sequence[SideData], picture.side_data):  # declared as a dictionary, but is not one
            if data.type.name == "DISPLAYMATRIX":  # the first counts
                orientation, note = from_matrix(bytes(data))
                if note and note not in self.notes:
                    self.notes.append(note)
                return orientation
        return UPRIGHT


def from_matrix(data: bytes) -> tuple[Orientation, str]:
    """Return the orientation nearest to a display matrix, and a note if the matrix is odd, else an empty text.

    Args:
        data: nine integers of 32 bits, row by row: a pixel at (x, y), y downwards, goes to (a x + c y, b x + d y),
            where the rows begin with (a, b) and (c, d).
    """
    if len(data) < 36:
        return UPRIGHT, "its display matrix is damaged, and is not followed"
    (a, b, _), (c, d, _), _ = np.frombuffer(data[:36], np.int32).reshape(3, 3).astype(float)
    lengths = math.hypot(a, b), math.hypot(c, d)
    determinant = a * d - b * c
    if min(lengths) <= LEAST_RATIO * max(lengths) or abs(determinant) < LEAST_SINE * lengths[0] * lengths[1]:
        return UPRIGHT, "its display matrix is damaged, and is not followed"
    # The axes with lengths of 1; a reflection is a mirror before the turn.
    mirror = -1 if determinant < 0 else 1
    a, b, c, d = mirror * a / lengths[0], mirror * b / lengths[0], c / lengths[1], d / lengths[1]
    angle = math.degrees(math.atan2(b - c, a + d))  # clockwise on the screen
    quarters = round(angle / 90) % 4
    orientation = {
        (0, 1): Orientation(),
        (1, 1): Orientation(True, False, True),
        (2, 1): Orientation(False, True, True),
        (3, 1): Orientation(True, True, False),
        (0, -1): Orientation(False, False, True),
        (1, -1): Orientation(True, True, True),
        (2, -1): Orientation(False, True, False),
        (3, -1): Orientation(True, False, False),
    }[quarters, mirror]
    off = angle - 90 * round(angle / 90)
    if abs(off) > RIGHT:
        return orientation, f"its display matrix turns it by {angle:.0f} degrees; the nearest right angle is taken"
    return orientation, ""
