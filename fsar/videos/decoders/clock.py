"""When frames are shown: seconds from the start of the presentation, which is what a player shows as 0:00."""

from fractions import Fraction

from av.container import InputContainer
from av.video.stream import VideoStream

# Formats whose own clock begins with the presentation; that of all others may begin anywhere.
OWN_ZERO = ("mov", "matroska")
# Steps that are a jump of the clock and not a pause, in seconds, as the ffmpeg program takes them: in formats whose
# clock may jump (MPEG's streams), and in others.
JUMPS = 10.0
NO_PAUSE = 30 * 3600.0
BACK = 0.1


class Clock:
    """Tells the time of each frame of a stream.

    Args:
        unit: of the stream's timestamps, in seconds.
        start: of the presentation, in seconds of the stream's clock.
        step: seconds from one frame to the next where nothing says it; 0 if unknown.
        jumps: whether the clock of the format may jump.

    Attributes:
        notes: where the clock jumped.
    """

    def __init__(self, unit: Fraction, start: Fraction, step: float, jumps: bool):
        self._unit, self._start, self._step = unit, start, step
        self._most = JUMPS if jumps else NO_PAUSE
        self._last: float | None = None
        self._offset = 0.0
        self._count = 0
        self.notes: list[str] = []

    def time(self, stamp: int | None) -> float:
        """Return the time of the next frame, in seconds; it never decreases.

        Args:
            stamp: the frame's timestamp; None if it has none.
        """
        last, self._count = self._last, self._count + 1
        if stamp is None:
            self._last = 0.0 if last is None else last + self._step
            return self._last
        time = float(stamp * self._unit - self._start) + self._offset
        if last is None:
            self._last = max(time, 0.0)
            return self._last
        ahead = time - last
        if ahead > self._most or ahead < -BACK:
            jump = ahead - self._step
            self.notes.append(f"the clock jumps by {jump:.6g} s after frame {self._count - 2}")
            self._offset -= jump
            time = last + self._step
        self._last = max(time, last)
        return self._last


def clock_of(container: InputContainer, stream: VideoStream, rate: float) -> Clock:
    """Return the clock of a stream whose frames come at this rate on average, in frames per second; 0 if unknown."""
    return Clock(
        stream.time_base or Fraction(1, 1000),
        start_of(container, stream),
        1 / rate if rate else 0.0,
        container.format.name in ("mpeg", "mpegts"),
    )


def start_of(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return when the presentation starts, in seconds of the stream's clock."""
    name = container.format.name
    if name.startswith(OWN_ZERO):
        return Fraction(0)
    return Fraction(container.start_time or 0, 1_000_000)
