"""PyAV, FFmpeg's libraries in this process: one sequential pass, every frame once, in order.

Seeking is wrong on files with packed B-frames (HMDB51) and slower as soon as more than a few frames are wanted, so
there is no random access here. PyAV is chosen over a pipe from the ffmpeg program because it tells size, rate, rotation
and errors as values instead of as text; the tests hold it against the ffmpeg program frame by frame.
"""

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fsar.videos.decoders.clock import clock_of
from fsar.videos.decoders.losses import Losses
from fsar.videos.frame import Flaws, Frame, VideoError, VideoFacts, too_slow
from fsar.videos.scale import Scaler

# Errors of this machine, not of the video: nothing to be counted and passed over.
OURS = (errno.ENOMEM, errno.EIO)


def frames(path: Path, scaler: Scaler, timeout: float) -> Iterator[Frame | Flaws]:
    """Yield the frames and then the flaws, see `fsar.videos.decode.decode`.

    What the decoder refuses is passed over and counted, and so is what is missing in time (`Losses`).
    """
    deadline = time.monotonic() + timeout
    position = 0
    try:
        # Metadata need not be UTF-8, and is not used.
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            if not container.streams.video:
                raise VideoError("it has no video stream")
            stream = container.streams.video[0]
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            losses, clock = Losses(), clock_of(container, stream, rate)
            for pictures in sequential(container, losses):
                if time.monotonic() > deadline:
                    raise too_slow(timeout, position)
                for picture in pictures:
                    quarter_turns = round(picture.rotation / 90) % 4
                    width, height = picture.width, picture.height
                    if quarter_turns % 2:
                        width, height = height, width
                    planes = scaler.planes(picture, quarter_turns)
                    yield Frame(VideoFacts(rate, width, height), position, clock.time(picture.pts), planes)
                    position += 1
            if flaws := losses.flaws(container):
                yield flaws
    except av.FFmpegError as error:
        raise VideoError(error.strerror or type(error).__name__) from None


def sequential(container: InputContainer, losses: Losses) -> Iterator[list[av.VideoFrame]]:
    """Decode the first video stream in one pass: yields what each packet gives, which can be nothing.

    Args:
        container: an open file with a video stream.
        losses: is told of the packets, and of what is refused or damaged.

    Raises:
        av.FFmpegError: reading fails for a reason outside the video.
    """
    stream = container.streams.video[0]
    stream.thread_type = "NONE"  # jobs run beside one another, one core each
    for packet in _packets(container, losses):
        try:
            pictures = packet.decode() if packet else stream.codec_context.decode(None)
        except av.FFmpegError as error:
            losses.refused(_reason(error))
            pictures = []
        losses.seen(packet, pictures)
        yield pictures


def _packets(container: InputContainer, losses: Losses) -> "Iterator[av.Packet[VideoStream] | None]":
    """Yield the packets of the first video stream; at last None if the file cannot be read to its end."""
    try:
        yield from container.demux(container.streams.video[0])
    except av.FFmpegError as error:
        losses.refused(_reason(error))
        yield None


def _reason(error: av.FFmpegError) -> str:
    """Return what is wrong with a video, and raise what is wrong with this machine."""
    if error.errno in OURS:
        raise error
    return error.strerror or type(error).__name__
