"""Decoding a video: one sequential pass, every frame once, in order.

Seeking is wrong on files with packed B-frames (HMDB51) and slower as soon as more than a few frames are wanted, so
there is no random access here. PyAV is chosen over a pipe from the ffmpeg program because it tells size, rate, rotation
and errors as values instead of as text; the tests hold it against the ffmpeg program frame by frame.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray


class VideoError(Exception):
    """A video that cannot be decoded; the message is the reason, without its path."""


@dataclass(frozen=True)
class VideoFacts:
    """What the file's header says: frame rate in frames per second (0 if unknown), size in pixels as displayed."""

    fps: float
    width: int
    height: int


def decode(path: str | Path, size: int, timeout: float) -> Iterator[tuple[VideoFacts, NDArray[np.uint8]]]:
    """Yield every frame, resized to `size` × `size` by bilinear interpolation without regard to the aspect ratio.

    One frame is held at a time, so memory does not grow with the video.

    Args:
        path: any file FFmpeg's libraries can read; its name may hold any character.
        size: height and width of the frames, in pixels.
        timeout: give up after so many seconds.

    Yields:
        The video's facts and (size, size, 3) RGB bytes.

    Raises:
        VideoError: missing, empty, not a video, without a video stream, broken inside, without a frame, or too slow.
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError("there is no such file")
    if path.stat().st_size == 0:
        raise VideoError("the file is empty")
    deadline = time.monotonic() + timeout
    frames = 0
    try:
        # Metadata need not be UTF-8, and is not used.
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            if not container.streams.video:
                raise VideoError("it has no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "NONE"  # jobs run beside one another, one core each
            scaler = VideoReformatter()  # one for the video: every frame's own would be set up anew
            rate = stream.average_rate or stream.guessed_rate
            frame: av.VideoFrame
            for frame in container.decode(stream):
                if time.monotonic() > deadline:
                    raise VideoError(f"decoding took longer than {timeout:g} s, at frame {frames}")
                quarter_turns = round(frame.rotation / 90) % 4
                width, height = (frame.height, frame.width) if quarter_turns % 2 else (frame.width, frame.height)
                facts = VideoFacts(float(rate) if rate else 0.0, width, height)
                resized = np.asarray(
                    scaler.reformat(frame, size, size, "rgb24", interpolation="BILINEAR").to_ndarray(), np.uint8
                )
                yield facts, np.ascontiguousarray(np.rot90(resized, quarter_turns)) if quarter_turns else resized
                frames += 1
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(f"{reason}, after {frames} frames" if frames else reason) from None
    if frames == 0:
        raise VideoError("it has no frames")
