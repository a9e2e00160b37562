"""The timeline of a long video: windows joined to stretches of one action, as a table and as subtitles."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from fsar.files import atomic
from fsar.predict.spot import Window


@dataclass(frozen=True)
class Stretch:
    """A time in which one action was seen.

    Attributes:
        start, end: in seconds.
        label: the action; empty for none of the classes.
        score: the mean over its windows.
    """

    start: float
    end: float
    label: str
    score: float


def stretches(windows: Iterable[Window]) -> Iterator[Stretch]:
    """Join windows with the same label one after the other; halfway between two windows' middles divides them."""
    previous: Window | None = None
    start, total, count = 0.0, 0.0, 0
    for window in windows:
        if previous is None:
            start = window.start
        elif window.label != previous.label:
            border = (previous.start + previous.end + window.start + window.end) / 4
            yield Stretch(start, border, previous.label, total / count)
            start, total, count = border, 0.0, 0
        total, count, previous = total + window.score, count + 1, window
    if previous is not None:
        yield Stretch(start, previous.end, previous.label, total / count)


def joined(found: Iterable[Stretch], shortest: float) -> list[Stretch]:
    """Take stretches away that are shorter than `shortest` seconds, the shortest first.

    Its neighbours share its time, or have it as one where they show the same; at an end the one neighbour has it. A
    single stretch stays, however short it is.
    """
    kept = list(found)
    while len(kept) > 1:
        place = min(range(len(kept)), key=lambda i: (kept[i].end - kept[i].start, i))
        gone = kept[place]
        if gone.end - gone.start >= shortest:
            break
        before, after = kept[:place], kept[place + 1 :]
        if not before:
            kept = [replace(after[0], start=gone.start), *after[1:]]
        elif not after:
            kept = [*before[:-1], replace(before[-1], end=gone.end)]
        elif before[-1].label == after[0].label:
            one, other = before[-1], after[0]
            lengths = (one.end - one.start, other.end - other.start)
            score = (lengths[0] * one.score + lengths[1] * other.score) / (sum(lengths) or 1.0)
            kept = [*before[:-1], Stretch(one.start, other.end, one.label, score), *after[1:]]
        else:
            middle = (gone.start + gone.end) / 2
            kept = [*before[:-1], replace(before[-1], end=middle), replace(after[0], start=middle), *after[1:]]
    return kept


def write_stretches(found: Iterable[Stretch], path: Path, called: str) -> None:
    """Write stretches as a CSV: start and end in seconds, label, and its score as it is called."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["start", "end", "label", called])
        writer.writerows([f"{s.start:.3f}", f"{s.end:.3f}", s.label, f"{s.score:.6f}"] for s in found)


def written(windows: Iterable[Window], called: str, columns: Sequence[str], file: TextIO) -> Iterator[Window]:
    """Pass windows on, each written as a line of CSV: its times, label, score as it is called, nearness, all scores."""
    writer = csv.writer(file)
    writer.writerow(["start", "end", "label", called, "nearness", *columns])
    for window in windows:
        numbers = (f"{number:.6f}" for number in (window.score, window.nearness, *window.scores))
        writer.writerow([f"{window.start:.3f}", f"{window.end:.3f}", window.label, *numbers])
        yield window


class Curve:
    """How sure windows were over time, in a bounded number of points: of a long video every second, fourth, … is kept.

    Attributes:
        points: time in seconds and nearness.
    """

    MOST = 4000

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self._every, self._count = 1, 0

    def watched(self, windows: Iterable[Window]) -> Iterator[Window]:
        """Pass windows on."""
        for window in windows:
            if self._count % self._every == 0:
                self.points.append(((window.start + window.end) / 2, window.nearness))
            self._count += 1
            if len(self.points) > self.MOST:
                self.points, self._every = self.points[::2], 2 * self._every
            yield window


def write_subtitles(found: Iterable[Stretch], path: Path) -> None:
    """Write the actions as subtitles, .srt (SubRip) or .vtt (WebVTT) by the suffix; none where no action is."""
    webvtt = path.suffix == ".vtt"
    lines = ["WEBVTT", ""] if webvtt else []
    for number, stretch in enumerate((one for one in found if one.label), start=1):
        times = f"{timestamp(stretch.start, webvtt)} --> {timestamp(stretch.end, webvtt)}"
        text = " ".join(stretch.label.split())
        if webvtt:
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        lines += [str(number), times, text, ""]
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def timestamp(seconds: float, webvtt: bool) -> str:
    """Return a time as subtitles have it: 00:01:02,500, with a point instead in WebVTT."""
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    sign = "." if webvtt else ","
    return f"{hours:02d}:{minutes:02d}:{thousandths // 1000:02d}{sign}{thousandths % 1000:03d}"
