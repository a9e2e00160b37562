"""What a decoder gives: frames as they are stored, and in the end what is wrong with the video."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# A picture as JPEG has it: brightness in full resolution, two colour planes in half of it, each from 0 to 255.
Planes = list[NDArray[np.uint8]]


class VideoError(Exception):
    """A video that cannot be decoded; the message is the reason, without its path."""


@dataclass(frozen=True)
class VideoFacts:
    """What the file's header says of a video.

    Attributes:
        fps: average frame rate, in frames per second; 0 if unknown.
        width, height: of the first frame as displayed, in pixels.
        tick: unit of the clock that frames are timed by, in seconds; 0 if unknown. Of one video it differs by file.
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
        time: seconds from the start of the presentation, by which a player would show it.
        planes: Y (size, size), U and V (size / 2, size / 2, rounded up), BT.601, full range.
        duration: seconds that it is shown, as far as the file says; else 0.
    """

    facts: VideoFacts
    position: int
    time: float
    planes: Planes
    duration: float = 0.0


@dataclass(frozen=True)
class Flaws:
    """What is wrong with a decoded video, told after its last frame.

    Attributes:
        lost: frames that the file should have and the decoder does not give, or gives as damaged; as far as the decoder
            can know.
        wrong: frames that are not those of their positions; only random access has them.
        reason: why frames are lost; empty if none are.
        notes: what else there is to know of the video, sentences without a full stop.
    """

    lost: int = 0
    wrong: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()

    def check(self, decoded: int, damaged: str) -> None:
        """Refuse a video that lost frames where such videos are left out.

        Args:
            decoded: how many frames there are.
            damaged: the config's `frames.damaged`.

        Raises:
            VideoError: saying how many frames are lost, and why.
        """
        if self.lost and damaged == "leave-out":
            raise VideoError(f"{self.lost} frames are lost, {decoded} are not: {self.reason}")


def too_slow(timeout: float, position: int) -> VideoError:
    """Return the error of a video that takes longer than `timeout` seconds."""
    return VideoError(f"decoding took longer than {timeout:g} s, at frame {position}")
