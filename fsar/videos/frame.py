"""The output of a decoder: frames as they are stored, and at the end the flaws of the video."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# A picture as in JPEG: brightness in full resolution, two colour planes in half resolution, values 0 to 255.
Planes = list[NDArray[np.uint8]]


class VideoError(Exception):
    """A video that cannot be decoded; the message is the reason, without its path."""


@dataclass(frozen=True)
class VideoFacts:
    """Facts from the header of a video file.

    Attributes:
        fps: average frame rate, in frames per second; 0 if unknown.
        width, height: of the first frame as displayed, in pixels.
        tick: unit of the timestamps, in seconds; 0 if unknown. Copies of a video may differ in it.
    """

    fps: float
    width: int
    height: int
    tick: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Attributes:
        facts: of its video.
        position: among the decoded frames, from 0.
        time: seconds from the start of the presentation, as in a player.
        planes: Y (size, size), U and V (size / 2, size / 2, rounded up), BT.601, full range.
        duration: seconds that it is shown, if the file states it; else 0.
    """

    facts: VideoFacts
    position: int
    time: float
    planes: Planes
    duration: float = 0.0


@dataclass(frozen=True)
class Flaws:
    """Flaws of a decoded video, yielded after its last frame.

    Attributes:
        lost: estimate of the frames that the file should have but the decoder does not give, or gives as damaged. It
            counts what can be known.
        wrong: frames that are not those of their positions; only random access gives such.
        reason: why frames are lost; empty if none are.
        notes: other remarks on the video, sentences without a full stop.
    """

    lost: int = 0
    wrong: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()

    def check(self, decoded: int, damaged: str) -> None:
        """Refuse a video that lost frames if the config leaves such videos out.

        Raises:
            VideoError: saying how many frames are lost, and why.
        """
        if self.lost and damaged == "leave-out":
            raise VideoError(f"{self.lost} frames are lost, {decoded} are not: {self.reason}")


def too_slow(timeout: float, position: int) -> VideoError:
    """Return the error of a video that takes longer than `timeout` seconds."""
    return VideoError(f"decoding took longer than {timeout:g} s, at frame {position}")
