"""Opens a video file with FFmpeg's libraries, never files that it names; finds the video stream and its rate."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from fsar.videos.decoders.clock import bare
from fsar.videos.frame import VideoError
from fsar.videos.rates import usual_step

# Formats whose files name other files, local or in the network, which FFmpeg would open.
LEADING_ELSEWHERE = {
    "concat", "dash", "hls", "image2", "imf", "lavfi", "mlv", "rtp", "rtsp", "sap", "sdp", "vobsub",
    "webm_dash_manifest",
}  # fmt: skip
FORMATS = ",".join(sorted(av.formats_available - LEADING_ELSEWHERE))
# For both the libraries and the program.
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
# A rate above this may be the ticks of a clock, in frames per second, …
FAST = 240
# … and one above this is not a frame rate.
TOO_FAST = 2000
# Formats without a stated rate: FFmpeg guesses it from the first frames.
GUESSED = ("matroska", "flv", "asf", "live_flv")


def open_video(path: Path) -> InputContainer:
    """Open a video. Other files that it names are not opened.

    Raises:
        VideoError: the format is unknown.
    """
    try:
        # Metadata may not be UTF-8; they are not used.
        return av.open(f"file:{path}", metadata_errors="ignore", options=dict(OPTIONS))
    except av.ArgumentError:
        raise VideoError("it is no video, or a list of other files, which are not followed") from None
    except av.FFmpegError as error:
        raise VideoError(error.strerror or type(error).__name__) from None


def video_stream(container: InputContainer) -> VideoStream:
    """Return the stream to decode: not a cover image; the default stream before larger ones.

    Streams without a packet in the part read so far come last, as in the ffmpeg program.

    Raises:
        VideoError: there is none.
    """
    moving = moving_streams(container)
    known = [stream for stream in moving if stream.codec_context]
    if known:
        return max(known, key=_rank)
    if moving:
        raise VideoError("it has no video stream in a coding that FFmpeg knows")
    raise VideoError("it has no video, only a cover picture" if container.streams.video else "it has no video stream")


def moving_streams(container: InputContainer) -> list[VideoStream]:
    """Return the video streams, without covers and thumbnails."""
    return [stream for stream in container.streams.video if not stream.disposition & PICTURES]


def _rank(stream: VideoStream) -> tuple[bool, bool, bool, int, int]:
    area, begun = stream.width * stream.height, stream.start_time is not None
    return area > 0, begun, bool(stream.disposition & Disposition.default), area, -stream.index


def packets_of(container: InputContainer, stream: VideoStream) -> "Iterator[av.Packet[VideoStream]]":
    """Yield the packets of a stream, and an empty one at the end.

    Raises:
        av.FFmpegError: the file cannot be read to its end.
    """
    # In damaged or joined files a stream may begin in the middle. PyAV does not know it when it flushes all after
    # the last packet; the streams it knew are flushed by then.
    with suppress(IndexError):
        yield from container.demux(stream)


def rate_of(path: Path, container: InputContainer, stream: VideoStream) -> float:
    """Return the average rate in frames per second, 0 if unknown: stated in the file, else measured in it."""
    unit = float(stream.time_base or 0)
    # A bare stream has no clock; the rate in its coding is better than the guessed one.
    stated = stream.guessed_rate if bare(container) else stream.average_rate or stream.guessed_rate
    rate = float(stated or 0)
    guessed = container.format.name.startswith(GUESSED) and stream.average_rate != stream.base_rate
    counted = stream.frames > 1 and rate * unit < 0.5  # the header has the number of frames and their times
    if rate and not guessed and (rate <= FAST or counted):
        return rate
    measured = _measured(path, unit)
    return measured if measured <= TOO_FAST else 0.0


def _measured(path: Path, unit: float) -> float:
    """Return the frames per second by the times of the packets."""
    stamps, last = [], 0
    with open_video(path) as container, suppress(av.FFmpegError):  # what could be read is enough
        for packet in packets_of(container, video_stream(container)):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None:
                stamps.append(stamp)
                last = packet.duration or 0
    times = np.unique(stamps) * unit
    seconds = float(times[-1] - times[0]) + max(last * unit, usual_step(times)) if len(times) else 0.0
    return len(times) / seconds if seconds > 0 else 0.0
