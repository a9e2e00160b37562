"""Times of frames: seconds from the start of the presentation, which a player shows as 0:00."""

from collections import deque
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.format import Flags
from av.video.stream import VideoStream

# Steps of a clock that count as a jump and not as a pause, in seconds: forwards, in MPEG's streams, where a clock may
# restart, and elsewhere (both as in the ffmpeg program); …
JUMP, JUMP_ELSEWHERE = 10.0, 30 * 3600.0
# … and backwards, unless the timestamps of these frames are out of order.
BACK, DISORDER = 0.1, 8  # seconds, frames
NO_TIMESTAMPS = cast(int, Flags.no_timestamps.value)
TOLD = 3  # jumps that are listed; of more only the number is stated


class Clock:
    """Calculates the time of each frame of a stream.

    Args:
        container, stream: of the frames.
        rate: of the stream on average, in frames per second; 0 if unknown.

    Attributes:
        unit: of the stream's timestamps, in seconds.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, rate: float):
        unit = stream.time_base or Fraction(1, 1000)
        self.unit = float(unit)
        self._jumps: list[str] = []
        self._numerator, self._denominator = unit.numerator, unit.denominator
        self._start = float(start_of(container, stream))
        self._bare = bare(container)
        self._most = JUMP if jumps(container) else JUMP_ELSEWHERE
        self._usual = 1 / rate if rate else 0.0
        self._count = 0
        self._time = 0.0  # of the last frame
        self._step = 0.0  # duration of the last frame
        self._offset = 0.0  # sum of the jumps

    def time(self, stamp: int | None, duration: int = 0) -> float:
        """Return the time of the next frame, in seconds; it never decreases.

        Args:
            stamp: the frame's timestamp; None if it has none.
            duration: of the frame, in the same unit; 0 if unknown.
        """
        following = self._time + (self._usual or self._step) if self._count else 0.0
        known = stamp is not None and not self._bare
        time = self.seconds(stamp or 0) - self._start + self._offset if known else following
        if self._count:
            ahead = time - following
            back = self._time - time > max(BACK, DISORDER * self._usual)
            if back or ahead - self._step > self._most:
                self._jumps.append(f"the clock jumps by {ahead:.5g} s after frame {self._count - 1}")
                self._offset -= ahead
                time = following
        self._time = max(time, self._time)
        self._step = self.seconds(duration)
        self._count += 1
        return self._time

    @property
    def notes(self) -> tuple[str, ...]:
        """Where the clock jumped."""
        more = len(self._jumps) - TOLD
        return (*self._jumps[:TOLD], *([f"the clock jumps {more} times more"] if more > 0 else []))

    def seconds(self, units: int) -> float:
        """Convert units of the stream's clock to seconds."""
        return units * self._numerator / self._denominator  # Fractions would take as long as scaling a picture


class DecodingOrder:
    """Timestamps for formats that only order packets, such as AVI: each frame gets the earliest one not yet given."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()

    def packet(self, stamp: int | None) -> None:
        """Note a packet that the decoder took."""
        if stamp is not None:
            self._waiting.append(stamp)

    def frame(self) -> int | None:
        """Return the timestamp of the next frame; None if there is none."""
        return self._waiting.popleft() if self._waiting else None


class PacketTimes:
    """Times at which the packets of a stream are decoded and shown.

    Attributes:
        shown: begin and end of packets in the stream's unit of time; a new list after each restart of its clock.
        decoded: the same in the order of decoding, from which MP4 gives a packet's duration.
    """

    def __init__(self, container: InputContainer, stream: VideoStream):
        self.shown: list[list[tuple[int, int]]] = []
        self.decoded: list[list[tuple[int, int]]] = []
        self._unit = float(stream.time_base or 0)
        self._by_order, self._jumps = by_order(container.format.name), jumps(container)
        self._next: int | None = None  # when the next packet is to be decoded

    def note(self, packet: "av.Packet[VideoStream]") -> None:
        """Note a packet, if it has a time."""
        dts, length = packet.dts, packet.duration or 0
        stamp = dts if packet.pts is None or self._by_order else packet.pts
        if stamp is None:
            return
        ahead = 0.0
        if dts is not None:
            ahead = 0.0 if self._next is None else (dts - self._next) * self._unit
            self._next = dts + length
        if not self.shown or ahead < -BACK or (ahead > JUMP and self._jumps):
            self.shown.append([])
            self.decoded.append([])
        self.shown[-1].append((stamp, stamp + length))
        if dts is not None:
            self.decoded[-1].append((dts, dts + length))


def start_of(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the start of the presentation, in seconds of the stream's clock.

    MP4, MOV and Matroska count from the start of the presentation, so a video may begin later than 0: browsers show
    nothing during an empty edit. If such a file was written live and declares no length, its clock may begin
    anywhere, as in all other formats; then the presentation starts with the first stream.
    """
    own = (stream.start_time or 0) * (stream.time_base or Fraction(1))
    begin = Fraction(container.start_time or 0, av.time_base)
    if jumps(container) and len(container.streams.video) > 1:  # several programs, each with its own clock
        begin = max(begin, min(start for start in _starts(container) if abs(own - start) < JUMP))
    name = container.format.name
    live = (name.startswith("mov") and not any(other.frames for other in container.streams)) or (
        name.startswith("matroska") and container.duration is None
    )
    if live or not name.startswith(("mov", "matroska")):
        return begin
    return min(Fraction(0), own)


def _starts(container: InputContainer) -> list[Fraction]:
    """Return the start of each video and audio stream, in seconds."""
    streams = [stream for stream in container.streams if stream.type in ("video", "audio")]
    return [(stream.start_time or 0) * (stream.time_base or Fraction(1)) for stream in streams]


def jumps(container: InputContainer) -> bool:
    """Return whether the clock of a format may restart within a file."""
    return container.format.name in ("mpeg", "mpegts")


def bare(container: InputContainer) -> bool:
    """Return whether a format is a bare stream without a clock, whose timestamps FFmpeg guesses."""
    return bool(container.format.flags & NO_TIMESTAMPS)


def by_order(format_name: str) -> bool:
    """Return whether packets of a format have only an order and no times."""
    return format_name == "avi"
