"""What decoders that are programs are told before they begin, and cannot tell themselves: see `first_picture`."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av

from fsar.videos.colours import LOGARITHMIC, take_known_colours
from fsar.videos.decoders.clock import Clock, PacketTimes
from fsar.videos.decoders.losses import Losses
from fsar.videos.decoders.pyav import sequential
from fsar.videos.decoders.source import open_video, packets_of, rate_of, video_stream
from fsar.videos.frame import VideoError, VideoFacts, too_slow
from fsar.videos.orientation import Orientation, Orientations


@dataclass(frozen=True)
class FirstPicture:
    """The file's header and the first picture of a video.

    Attributes:
        stream: index of the stream.
        best: whether FFmpeg's libraries would take that stream, too, where they are not told which.
        facts: of the video.
        clock: which tells the times of its frames.
        format: the short name of the file's format.
        orientation: how the picture is turned, the nearest right angle.
        oblique: whether that is another orientation than the file asks for.
        matrix: of its colours that is to be taken instead of its own; None if its own is.
        odd_colours: whether it has colours that the ffmpeg program's scaler does not know.
        notes: what there is to say of all that.
    """

    stream: int
    best: bool
    facts: VideoFacts
    clock: Clock
    format: str
    orientation: Orientation
    oblique: bool
    matrix: int | None
    odd_colours: bool
    notes: tuple[str, ...]


def first_picture(path: Path, timeout: float) -> FirstPicture:
    """Look at the first picture of a video.

    Raises:
        VideoError: there is none, or none in so many seconds.
    """
    deadline = time.monotonic() + timeout
    try:
        with open_video(path) as container:
            stream = video_stream(container)
            best = container.streams.best("video")
            rate = rate_of(path, container, stream)
            clock, losses = Clock(container, stream, rate), Losses(container, stream)
            for picture in sequential(container, stream, losses):
                if time.monotonic() > deadline:
                    raise too_slow(timeout, 0)
                if picture is None:
                    continue
                orientations, matrix = Orientations(), picture.colorspace
                orientation, colours = orientations.of(picture), take_known_colours(picture)
                return FirstPicture(
                    stream.index,
                    best is not None and best.index == stream.index,
                    VideoFacts(rate, *orientation.size(picture.width, picture.height), tick=clock.unit),
                    clock,
                    container.format.name,
                    orientation,
                    bool(orientations.notes),
                    picture.colorspace if picture.colorspace != matrix else None,
                    picture.colorspace != matrix or picture.color_trc in LOGARITHMIC,
                    (*orientations.notes, *colours),
                )
    except av.FFmpegError as error:
        raise VideoError(error.strerror or type(error).__name__) from None
    raise VideoError(losses.reason or "it has no frames")


def stamps_of_packets(path: Path) -> list[tuple[int, int]]:
    """Return (timestamp, duration) of the packets with a picture, in the order in which they are shown."""
    with open_video(path) as container:
        video = video_stream(container)
        times = PacketTimes(container, video)
        with suppress(av.FFmpegError):  # what can be read is enough
            for packet in packets_of(container, video):
                if packet.size:
                    times.note(packet)
    return [(begin, end - begin) for run in times.shown for begin, end in sorted(run)]
