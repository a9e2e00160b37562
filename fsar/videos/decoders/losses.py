"""Estimates how many frames a damaged video has lost, from its packets and their times."""

import re
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fsar.videos.decoders.clock import PacketTimes, jumps
from fsar.videos.frame import Flaws

# A longer gap between packets means loss; a shorter one can be a variable frame rate.
PAUSE = 1.0  # seconds
# The end that a container declares is correct to one or two frames.
SLACK = 2.5  # frames
# Share of equal steps between packets from which the rate counts as constant.
ALIKE = 0.9
# Limit of the index's integers; a damaged header can declare any end.
MOST = 2**31 - 1
# Formats that state a duration for each packet, or count packets; others show a picture until the next one comes.
CONTINUOUS = ("mov", "mpeg", "mpegts", "avi")


class Losses:
    """Records, during decoding, refused packets, damaged frames, and the times of packets."""

    def __init__(self, container: InputContainer, stream: VideoStream):
        self._container, self._stream = container, stream
        self._times = PacketTimes(container, stream)
        self._packets = self._refusals = self._damaged = self._decoded = 0
        self.reason = ""  # why the first frame is lost

    def seen(self, packet: "av.Packet[VideoStream] | None", pictures: list[av.VideoFrame]) -> None:
        """Note a packet and the frames that the decoder gave for it."""
        if packet is not None and packet.size:
            self._packets += not packet.is_discard  # one that serves later frames only
        if packet is not None:
            self._times.note(packet)  # an empty one, in AVI, repeats the frame before it
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
        """Return the flaws after the last packet, with these notes; None if there are neither."""
        lost = self._damaged
        if self._refusals:
            lost += max(self._packets - self._decoded, self._refusals)
        if missing := self._missing():
            lost += missing
            self.reason = self.reason or f"packets are missing for {missing} frames"
        return Flaws(lost=min(lost, MOST), reason=self.reason, notes=notes) if lost or notes else None

    def _missing(self) -> int:
        """Return how many frames fit into the gaps between packets and before the end."""
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
        if len(runs) > 1:  # the declared end belongs to another clock
            return missing
        end, slack = _declared_end(self._container, self._stream)
        unseen = end - max(max(until for _, until in runs[0]) * unit, runs[0][-1][0] * unit + usual)
        return missing + (round(unseen / usual) if unseen > max(slack, SLACK * usual) else 0)

    def _gaps_count(self, steps: list[int], unit: float) -> bool:
        """Return whether gaps count: the rate is otherwise constant, and the file is damaged or cannot have pauses."""
        usual = steps[len(steps) // 2] if steps else 0
        near = max(1.5, 0.002 / unit)
        alike = sum(abs(step - usual) <= near for step in steps)
        if alike < ALIKE * len(steps):
            return False
        damage = self._damaged or self._refusals
        return bool(damage) or self._container.format.name.startswith(CONTINUOUS)


def _declared_end(container: InputContainer, stream: VideoStream) -> tuple[float, float]:
    """Return the declared end of a video, in seconds of its clock (0 if unknown), and its error in seconds."""
    name = container.format.name
    if name == "avi" and stream.average_rate:
        # The header has the number of frames; FFmpeg guesses the duration from the file size.
        return float(stream.frames / stream.average_rate), 0.0
    if name.startswith("mov") and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base), 0.0
    if tag := re.match(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):  # of Matroska and WebM
        hours, minutes, seconds = map(float, tag.groups())
        return 3600 * hours + 60 * minutes + seconds, PAUSE
    # In other formats the duration is that of the longest stream; in MPEG's streams, the time of the last packet.
    if container.duration and len(container.streams) == 1 and not jumps(container):
        return (container.duration + (container.start_time or 0)) / av.time_base, PAUSE
    return 0.0, PAUSE
