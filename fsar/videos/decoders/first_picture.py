"""Facts that decoders in other processes need before they begin and cannot find out: see `first_picture`."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av

from fsar.videos.colours import LOGARITHMIC, take_known_colours
from fsar.videos.decoders.clock import Clock, PacketTimes
from fsar.videos.decoders.losses import Losses
from fsar.videos.decoders.pyav import sequential
from fsar.videos.decoders.source import moving_streams, open_video, packets_of, rate_of, video_stream
from fsar.videos.frame import VideoError, VideoFacts, too_slow
from fsar.videos.orientation import UPRIGHT, Orientation, Orientations


@dataclass(frozen=True)
class FirstPicture:
    """The file's header and the first picture of a video.

    Attributes:
        stream: index of the stream.
        alone: whether the file has no other stream of moving pictures.
        facts: of the video.
        clock: which calculates the times of its frames.
        format: the short name of the file's format.
        orientation: of the picture, rounded to the nearest right angle.
        oblique: whether the file asks for another angle.
        matrix: colour matrix to use instead of its own; None to use its own.
        odd_colours: whether the ffmpeg program's scaler does not know its colours.
        notes: remarks on all this.
    """

    stream: int
    alone: bool
    facts: VideoFacts
    clock: Clock
    format: str
    orientation: Orientation
    oblique: bool
    matrix: int | None
    odd_colours: bool
    notes: tuple[str, ...]


def first_picture(path: Path, timeout: float) -> FirstPicture:
    """Read the first picture of a video, or its header alone if the libraries can decode no picture.

    Raises:
        VideoError: it is not a video, or reading takes longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    try:
        with open_video(path) as container:
            stream = video_stream(container)
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
                len(moving_streams(container)) == 1,
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
    """Return (timestamp, duration) of the packets with a picture, in display order."""
    with open_video(path) as container:
        video = video_stream(container)
        times = PacketTimes(container, video)
        with suppress(av.FFmpegError):  # what could be read is enough
            for packet in packets_of(container, video):
                if packet.size:
                    times.note(packet)
    return [(begin, end - begin) for run in times.shown for begin, end in sorted(run)]
