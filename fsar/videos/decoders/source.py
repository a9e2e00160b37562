"""A video file opened by FFmpeg's libraries, and no other that it names: which stream is the video, and its rate."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from fsar.videos.frame import VideoError
from fsar.videos.rates import usual_step

# Formats whose files name others, here or in the network: they would be opened unseen.
LEADING_ELSEWHERE = {
    "concat", "dash", "hls", "image2", "imf", "lavfi", "mlv", "rtp", "rtsp", "sap", "sdp", "vobsub",
    "webm_dash_manifest",
}  # fmt: skip
FORMATS = ",".join(sorted(av.formats_available - LEADING_ELSEWHERE))
# For the libraries and for the program alike.
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
# A rate above may be the ticks of a clock, in frames per second, …
FAST = 240
# … and one above is none.
TOO_FAST = 2000
# Formats that state no rate: FFmpeg guesses it from the beginning.
GUESSED = ("matroska", "flv", "asf", "live_flv")


def open_video(path: Path) -> InputContainer:
    """Open a video; what it names outside itself is not followed.

    Raises:
        VideoError: it is of no known format.
    """
    try:
        # Metadata need not be UTF-8, and are not used.
        return av.open(f"file:{path}", metadata_errors="ignore", options=dict(OPTIONS))
    except av.ArgumentError:
        raise VideoError("it is no video, or a list of other files, which are not followed") from None
    except av.FFmpegError as error:
        raise VideoError(error.strerror or type(error).__name__) from None


def video_stream(container: InputContainer) -> VideoStream:
    """Return the stream that is decoded: no picture beside the sound, and the default one before larger ones.

    Streams without a packet as far as the file has been looked into come last, as the ffmpeg program has it.

    Raises:
        VideoError: there is none.
    """
    streams = container.streams.video
    moving = [stream for stream in streams if not stream.disposition & PICTURES]
    known = [stream for stream in moving if stream.codec_context]
    if known:
        return max(known, key=_rank)
    if moving:
        raise VideoError("it has no video stream in a coding that FFmpeg knows")
    raise VideoError("it has no video, only a cover picture" if streams else "it has no video stream")


def _rank(stream: VideoStream) -> tuple[bool, bool, bool, int, int]:
    area, begun = stream.width * stream.height, stream.start_time is not None
    return area > 0, begun, bool(stream.disposition & Disposition.default), area, -stream.index


def packets_of(container: InputContainer, stream: VideoStream) -> "Iterator[av.Packet[VideoStream]]":
    """Yield the packets of a stream, and at last an empty one.

    Raises:
        av.FFmpegError: the file cannot be read to its end.
    """
    # A stream that begins in the middle, as in damaged or joined files, PyAV does not find when it flushes all after
    # the last packet; those that it knew are flushed by then.
    with suppress(IndexError):
        yield from container.demux(stream)


def rate_of(path: Path, container: InputContainer, stream: VideoStream) -> float:
    """Return the average rate in frames per second, 0 if unknown: as stated, or else measured in the whole file."""
    unit = float(stream.time_base or 0)
    # A bare stream has no clock, and its coding tells more than the usual rate.
    stated = stream.guessed_rate if container.start_time is None else stream.average_rate or stream.guessed_rate
    rate = float(stated or 0)
    guessed = container.format.name.startswith(GUESSED) and stream.average_rate != stream.base_rate
    counted = stream.frames > 1 and rate * unit < 0.5  # in the header, with their times
    if rate and not guessed and (rate <= FAST or counted):
        return rate
    measured = _measured(path, unit)
    return measured if measured <= TOO_FAST else 0.0


def _measured(path: Path, unit: float) -> float:
    """Return how many frames there are in a second of the packets' time."""
    stamps, last = [], 0
    with open_video(path) as container, suppress(av.FFmpegError):  # what can be read is enough
        for packet in packets_of(container, video_stream(container)):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None:
                stamps.append(stamp)
                last = packet.duration or 0
    times = np.unique(stamps) * unit
    seconds = float(times[-1] - times[0]) + max(last * unit, usual_step(times)) if len(times) else 0.0
    return len(times) / seconds if seconds > 0 else 0.0
