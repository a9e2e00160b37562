"""PyAV, FFmpeg's libraries in this process: one sequential pass, every frame once, in order.

Seeking gives wrong frames in files with packed B-frames (HMDB51) and is slower for more than a few frames, so
there is no random access here. PyAV is the default and not a pipe from the ffmpeg program, because it gives size, rate,
rotation and errors as values instead of text. The tests compare it with the ffmpeg program frame by frame.
"""

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fsar.videos.colours import take_known_colours
from fsar.videos.decoders.clock import Clock, DecodingOrder, by_order
from fsar.videos.decoders.losses import Losses
from fsar.videos.decoders.source import open_video, packets_of, rate_of, video_stream
from fsar.videos.frame import Flaws, Frame, VideoError, VideoFacts, too_slow
from fsar.videos.orientation import Orientations
from fsar.videos.scale import Scaler

# Errors of this machine, not of the video: these are raised, not counted.
OURS = (errno.ENOMEM, errno.EIO)


def frames(path: Path, scaler: Scaler, timeout: float) -> Iterator[Frame | Flaws]:
    """Yield the frames and then the flaws, see `fsar.videos.decode.decode`.

    Packets that the decoder refuses are skipped and counted, and so are frames missing in time (`Losses`).
    """
    deadline = time.monotonic() + timeout
    position, facts, orientations = 0, None, Orientations()
    colours: dict[str, None] = {}  # notes on them, in order
    try:
        with open_video(path) as container:
            stream = video_stream(container)
            rate = rate_of(path, container, stream)
            losses, clock = Losses(container, stream), Clock(container, stream, rate)
            for picture in sequential(container, stream, losses):
                if time.monotonic() > deadline:
                    raise too_slow(timeout, position)
                if picture is None:
                    continue
                if said := take_known_colours(picture):
                    colours |= dict.fromkeys(said)
                orientation = orientations.of(picture)
                facts = facts or VideoFacts(rate, *orientation.size(picture.width, picture.height), tick=clock.unit)
                shown, duration = clock.time(picture.pts, picture.duration), clock.seconds(picture.duration)
                yield Frame(facts, position, shown, scaler.planes(picture, orientation), duration)
                position += 1
            if flaws := losses.flaws((*orientations.notes, *colours, *clock.notes)):
                yield flaws
    except av.FFmpegError as error:
        raise VideoError(error.strerror or type(error).__name__) from None


def sequential(container: InputContainer, stream: VideoStream, losses: Losses) -> Iterator[av.VideoFrame | None]:
    """Decode a video stream in one pass: yields its pictures, and None for a packet without one.

    If the format only orders packets and has no times, the pictures get their timestamps from that order.

    Args:
        container: an open file.
        stream: of the file.
        losses: records the packets, and what is refused or damaged.

    Raises:
        av.FFmpegError: reading fails for a reason outside the video.
    """
    stream.thread_type = "NONE"  # jobs run in parallel, one core each
    order = DecodingOrder() if by_order(container.format.name) else None
    for packet in _packets(container, stream, losses):
        pictures: list[av.VideoFrame] = []
        if packet is None or packet.size or packet.dts is None:  # decoding an empty one would end the stream
            try:
                pictures = packet.decode() if packet else stream.codec_context.decode(None)
            except av.FFmpegError as error:
                losses.refused(_reason(error))
            else:
                if order and packet is not None and packet.size:
                    order.packet(packet.dts)
        losses.seen(packet, pictures)
        for picture in pictures:
            if order:
                picture.pts = order.frame()
            yield picture
        if not pictures:
            yield None


def _packets(
    container: InputContainer, stream: VideoStream, losses: Losses
) -> "Iterator[av.Packet[VideoStream] | None]":
    """Yield the packets of a video stream, and None at the end if the file cannot be read further."""
    try:
        yield from packets_of(container, stream)
    except av.FFmpegError as error:
        losses.refused(_reason(error))
        yield None


def _reason(error: av.FFmpegError) -> str:
    """Return an error of the video as text; raise an error of this machine."""
    if error.errno in OURS:
        raise error
    return error.strerror or type(error).__name__
