"""Resizes decoded pictures and converts them to the colours of JPEG, for storing."""

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from fsar.videos.frame import Planes
from fsar.videos.orientation import UPRIGHT, Orientation
from fsar.videos.progressive import Progressive
from fsar.videos.resize import interpolate


class Scaler:
    """Resizes the planes of pictures by bilinear interpolation (aspect ratio not kept). One object per video.

    Args:
        size: height and width of the planes, in pixels.
        antialias: average over pixels when shrinking; without it each new pixel is computed from four.
    """

    def __init__(self, size: int, antialias: bool = True):
        self.size, self.antialias = size, antialias
        self._scaler = VideoReformatter()  # one for the whole video, since each must be set up
        self._progressive = Progressive()

    def planes(self, picture: av.VideoFrame, orientation: Orientation = UPRIGHT) -> Planes:
        """Return the planes Y, U and V of a picture (see `Frame`), the right way up.

        Args:
            picture: with a colour matrix that the scaler knows (see `take_known_colours`).
            orientation: how it is turned.
        """
        width, height = (self.size, self.size) if self.antialias else (picture.width, picture.height)
        scaled = self._scaler.reformat(
            self._progressive(picture), width, height, "yuvj420p", interpolation=Interpolation.BILINEAR, threads=1,
            dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG,
        )  # fmt: skip
        planes = [_pixels(plane) for plane in scaled.planes]
        if orientation != UPRIGHT:
            planes = [orientation.apply(plane) for plane in planes]
        if not self.antialias:
            sides = (self.size, -(-self.size // 2), -(-self.size // 2))
            planes = [interpolate(plane, side) for plane, side in zip(planes, sides, strict=True)]
        return [_with_edge(planes[0]), *planes[1:]]


def _with_edge(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a plane with its last row and column once more behind an odd number: JPEG's encoder reads even numbers."""
    height, width = plane.shape
    if height % 2 == width % 2 == 0:
        return plane
    return np.pad(plane, ((0, height % 2), (0, width % 2)), "edge")[:height, :width]


def _pixels(plane: VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
