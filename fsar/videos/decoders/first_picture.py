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
from fsar.videos.orientation import UPRIGHT, Orientation, Orientations


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
    """Look at the first picture of a video, or at its header alone where the libraries can decode none.

    Raises:
        VideoError: it is no video, or not looked at in so many seconds.
    """
    deadline = time.monotonic() + timeout
    try:
        with open_video(path) as container:
            stream = video_stream(container)
            best = container.streams.best("video")
            rate = rate_of(path, container, stream)
            clock, losses = Clock(container, stream, rate), Losses(container, stream)
            found = None
            for picture in sequential(container, stream, losses):
                if time.monotonic() > deadline:
                    raise too_slow(timeout, 0)
                if picture is not None:
                    found = picture
                    break
            orientations, orientation, notes, matrix, odd = Orientations(), UPRIGHT, [], None, False
            width, height = stream.width, stream.height
            if found is not None:
                own, width, height = found.colorspace, found.width, found.height
                orientation, notes = orientations.of(found), take_known_colours(found)
                matrix = found.colorspace if found.colorspace != own else None
                odd = matrix is not None or found.color_trc in LOGARITHMIC
            return FirstPicture(
                stream.index,
                best is not None and best.index == stream.index,
                VideoFacts(rate, *orientation.size(width, height), tick=clock.unit),
                clock,
                container.format.name,
                orientation,
                bool(orientations.notes),
                matrix,
                odd,
                (*orientations.notes, *notes),
            )
    except av.FFmpegError as error:
        raise VideoError(error.strerror or type(error).__name__) from None


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
