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
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from fsar.videos.resize import interpolate

# A picture as JPEG has it: brightness in full resolution, two colour planes in half of it, each from 0 to 255.
Planes = list[NDArray[np.uint8]]


class VideoError(Exception):
    """A video that cannot be decoded; the message is the reason, without its path."""


@dataclass(frozen=True)
class VideoFacts:
    """What the file's header says: frame rate in frames per second (0 if unknown), size in pixels as displayed."""

    fps: float
    width: int
    height: int


def decode(path: str | Path, size: int, timeout: float, antialias: bool = True) -> Iterator[tuple[VideoFacts, Planes]]:
    """Yield every frame, resized to `size` × `size` by bilinear interpolation without regard to the aspect ratio.

    One frame is held at a time, so memory does not grow with the video. Frames stay in the colours of video, which are
    those of JPEG too: by way of RGB storing took half as long again, and rounded twice.

    Args:
        path: any file FFmpeg's libraries can read; its name may hold any character.
        size: height and width of the frames, in pixels.
        timeout: give up after so many seconds.
        antialias: average over pixels where the frame becomes smaller; without it each pixel comes from four.

    Yields:
        The video's facts and the planes Y (size, size), U and V (size / 2, size / 2, rounded up), BT.601, full range.

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
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            frame: av.VideoFrame
            for frame in container.decode(stream):
                if time.monotonic() > deadline:
                    raise VideoError(f"decoding took longer than {timeout:g} s, at frame {frames}")
                quarter_turns = round(frame.rotation / 90) % 4
                width, height = (frame.height, frame.width) if quarter_turns % 2 else (frame.width, frame.height)
                facts = VideoFacts(rate, width, height)
                scaled = scaler.reformat(
                    frame, *((size, size) if antialias else (frame.width, frame.height)), "yuvj420p",
                    interpolation=Interpolation.BILINEAR, threads=1,
                    dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG,
                )  # fmt: skip
                planes = [_turned(plane, quarter_turns) for plane in scaled.planes]
                if not antialias:
                    sides = (size, -(-size // 2), -(-size // 2))
                    planes = [interpolate(plane, side) for plane, side in zip(planes, sides, strict=True)]
                yield facts, planes
                frames += 1
    except av.FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(f"{reason}, after {frames} frames" if frames else reason) from None
    if frames == 0:
        raise VideoError("it has no frames")


def _turned(plane: VideoPlane, quarter_turns: int) -> NDArray[np.uint8]:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    return np.ascontiguousarray(np.rot90(rows, quarter_turns)) if quarter_turns else rows
