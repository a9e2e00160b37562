"""How many frames a damaged video has lost, as well as can be known from its packets and their times."""

import re
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fsar.videos.decoders.clock import PacketTimes, jumps
from fsar.videos.frame import Flaws

# Where packets are missing for longer, something is lost; a shorter pause can be a variable frame rate.
PAUSE = 1.0  # seconds
# Ends that containers declare are right to a frame or two.
SLACK = 2.5  # frames
# Of the steps between packets so many are alike where the rate is constant.
ALIKE = 0.9
# What an index can hold; a damaged header can declare any end.
MOST = 2**31 - 1
# Formats that say how long each packet is shown, or count packets: others just wait until there is another picture.
CONTINUOUS = ("mov", "mpeg", "mpegts", "avi")


class Losses:
    """What happens while a video is decoded: packets refused, frames given as damaged, and when packets were.

    Args:
        container, stream: what is decoded.
    """

    def __init__(self, container: InputContainer, stream: VideoStream):
        self._container, self._stream = container, stream
        self._times = PacketTimes(container, stream)
        self._packets = self._refusals = self._damaged = self._decoded = 0
        self.reason = ""  # why the first frame is lost

    def seen(self, packet: "av.Packet[VideoStream] | None", pictures: list[av.VideoFrame]) -> None:
        """Note a packet and the frames that the decoder gave for it."""
        if packet is not None and packet.size:
            self._packets += not packet.is_discard  # one that only later frames are made of
        if packet is not None:
            self._times.note(packet)  # an empty one, in AVI, is the frame before it once more
        for picture in pictures:
            self._decoded += 1
            if picture.is_corrupt:
                self._damaged += 1
                self.reason = self.reason or f"damaged at frame {self._decoded - 1}"

    def refused(self, reason: str) -> None:
        """Note a packet that cannot be read or decoded."""
        self._refusals += 1
        self.reason = self.reason or f"{reason}, after {self._decoded} frames"

    def flaws(self, notes: tuple[str, ...] = ()) -> Flaws | None:
        """Return what is lost after the last packet, with these notes; None if there is nothing to say."""
        lost = self._damaged
        if self._refusals:
            lost += max(self._packets - self._decoded, self._refusals)
        if missing := self._missing():
            lost += missing
            self.reason = self.reason or f"packets are missing for {missing} frames"
        return Flaws(lost=min(lost, MOST), reason=self.reason, notes=notes) if lost or notes else None

    def _missing(self) -> int:
        """Return for how many frames there is time without packets: between two of them, and before the end."""
        unit = float(self._stream.time_base or 0)
        runs = [sorted(run) for run in self._times.shown]
        steps = sorted(after - before for run in runs for (before, _), (after, _) in pairwise(run))
        # Seconds between two frames.
        usual = steps[len(steps) // 2] * unit if steps else float(1 / (self._stream.average_rate or 1))
        if not runs or usual <= 0:
            return 0
        missing = 0
        if self._gaps_count(steps, unit):
            for run in self._times.decoded:
                for (before, until), (after, _) in pairwise(run):
                    gap = after * unit - max(until * unit, before * unit + usual)
                    if gap > max(PAUSE, SLACK * usual) - usual:
                        missing += round(gap / usual)
        if len(runs) > 1:  # the end was declared by another clock
            return missing
        end, slack = _declared_end(self._container, self._stream)
        unseen = end - max(max(until for _, until in runs[0]) * unit, runs[0][-1][0] * unit + usual)
        return missing + (round(unseen / usual) if unseen > max(slack, SLACK * usual) else 0)

    def _gaps_count(self, steps: list[int], unit: float) -> bool:
        """Return whether a pause is a loss: where the rate is constant otherwise, and where pauses have no meaning."""
        usual = steps[len(steps) // 2] if steps else 0
        near = max(1.5, 0.002 / unit)
        alike = sum(abs(step - usual) <= near for step in steps)
        if alike < ALIKE * len(steps):
            return False
        damage = self._damaged or self._refusals
        return bool(damage) or self._container.format.name.startswith(CONTINUOUS)


def _declared_end(container: InputContainer, stream: VideoStream) -> tuple[float, float]:
    """Return when a video should end, in seconds of its clock, 0 if unknown, and how far that may be off."""
    name = container.format.name
    if name == "avi" and stream.average_rate:
        # Counted in the header; FFmpeg's duration is guessed from the size of the file.
        return float(stream.frames / stream.average_rate), 0.0
    if name.startswith("mov") and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base), 0.0
    if tag := re.match(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):  # of Matroska and WebM
        hours, minutes, seconds = map(float, tag.groups())
        return 3600 * hours + 60 * minutes + seconds, PAUSE
    # Others' duration is that of the longest stream; that of MPEG's streams is when their last packet is.
    if container.duration and len(container.streams) == 1 and not jumps(container):
        return (container.duration + (container.start_time or 0)) / av.time_base, PAUSE
    return 0.0, PAUSE
