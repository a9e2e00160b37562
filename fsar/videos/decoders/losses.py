"""How many frames a damaged video has lost, as well as can be known from its packets and their times."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fsar.videos.frame import Flaws

# Where packets are missing for longer, something is lost; a shorter pause can be a variable frame rate.
PAUSE = 1.0  # seconds
# Ends that containers declare are right to a frame or two.
SLACK = 2.5  # frames
# What an index can hold; a damaged header can declare any end.
MOST = 2**31 - 1


@dataclass
class Losses:
    """What happens while a video is decoded: packets refused, frames given as damaged, and when packets were."""

    packets: int = 0
    refusals: int = 0
    damaged: int = 0
    decoded: int = 0
    reason: str = ""
    stamps: list[int] = field(default_factory=list)  # in the stream's unit of time
    end: int = 0  # of the last packet, in the same unit

    def seen(self, packet: "av.Packet[VideoStream] | None", pictures: list[av.VideoFrame]) -> None:
        """Note a packet and the frames that the decoder gave for it."""
        if packet is not None and packet.size:
            self.packets += not packet.is_discard  # one that only later frames are made of
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None:
                self.stamps.append(stamp)
                self.end = max(self.end, stamp + (packet.duration or 0))
        for picture in pictures:
            self.decoded += 1
            if picture.is_corrupt:
                self.damaged += 1
                self.reason = self.reason or f"damaged at frame {self.decoded - 1}"

    def refused(self, reason: str) -> None:
        """Note a packet that cannot be read or decoded."""
        self.refusals += 1
        self.reason = self.reason or f"{reason}, after {self.decoded} frames"

    def flaws(self, container: InputContainer) -> Flaws | None:
        """Return what is lost after the last packet; None if nothing is known to be."""
        lost = self.damaged
        if self.refusals:
            lost += max(self.packets - self.decoded, self.refusals)
        if missing := self._missing(container):
            lost += missing
            self.reason = self.reason or f"packets are missing for {missing} frames"
        return Flaws(lost=min(lost, MOST), reason=self.reason) if lost else None

    def _missing(self, container: InputContainer) -> int:
        """Return for how many frames there is time without packets: between two of them, and before the end."""
        stream = container.streams.video[0]
        unit = float(stream.time_base or 0)
        stamps = sorted(self.stamps)
        steps = sorted(after - before for before, after in pairwise(stamps))
        # Seconds between two frames.
        usual = steps[len(steps) // 2] * unit if steps else float(1 / (stream.average_rate or 1))
        if not stamps or usual <= 0:
            return 0
        missing = 0
        for step in reversed(steps):
            if step * unit <= max(PAUSE, SLACK * usual):
                break
            missing += round(step * unit / usual) - 1
        end, slack = _declared_end(container)
        unseen = end - max(self.end * unit, stamps[-1] * unit + usual)
        return missing + (round(unseen / usual) if unseen > max(slack, SLACK * usual) else 0)


def _declared_end(container: InputContainer) -> tuple[float, float]:
    """Return when a video should end, in seconds, 0 if unknown, and how far that may be off."""
    stream: VideoStream = container.streams.video[0]
    if container.format.name == "avi" and stream.average_rate:
        # Counted in the header; FFmpeg's duration is guessed from the size of the file.
        return float(stream.frames / stream.average_rate), 0.0
    if stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base), 0.0
    if tag := re.match(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):  # of Matroska and WebM
        hours, minutes, seconds = map(float, tag.groups())
        return 3600 * hours + 60 * minutes + seconds, PAUSE
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base, PAUSE
    return 0.0, PAUSE
