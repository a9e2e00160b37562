"""A decoded picture made what is stored: resized, in the colours of JPEG."""

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from fsar.videos.frame import Planes


class Scaler:
    """Makes planes of pictures by bilinear interpolation, without regard to the aspect ratio; one for a video.

    Args:
        size: height and width of the planes, in pixels.
    """

    def __init__(self, size: int):
        self.size = size
        self._scaler = VideoReformatter()  # one for the video: every frame's own would be set up anew

    def planes(self, picture: av.VideoFrame, quarter_turns: int = 0) -> Planes:
        """Return the planes Y, U and V of a picture (see `Frame`), turned anticlockwise so many times."""
        scaled = self._scaler.reformat(
            picture, self.size, self.size, "yuvj420p", interpolation=Interpolation.BILINEAR, threads=1,
            dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG,
        )  # fmt: skip
        return [_turned(plane, quarter_turns) for plane in scaled.planes]


def _turned(plane: VideoPlane, quarter_turns: int) -> NDArray[np.uint8]:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    return np.ascontiguousarray(np.rot90(rows, quarter_turns)) if quarter_turns else rows
