"""The page of predictions: one file of HTML that opens offline, the most doubtful clips first."""

import html
import io
import tempfile
from base64 import b64encode
from pathlib import Path

import numpy as np
from PIL import Image

from fsar.files import atomic, readable
from fsar.predict.classifier import Prediction
from fsar.predict.nearest import Nearest
from fsar.predict.strips import THUMBNAIL
from fsar.predict.support import SupportSet
from fsar.results.page import STYLE

SHOWN = 5  # classes with their scores
# What the bars are, without and with a temperature.
BARS = (
    "The bars are scores that add up to one, and no probabilities: these take more examples.",
    "The bars are probabilities, calibrated on the examples.",
)
GAP = 64  # between the two rows of frames, for the alignment
OWN_STYLE = """article{border-top:1px solid #ccc;padding:.8em 0 1em}h3{margin:0 0 .2em;overflow-wrap:anywhere}
article>div{display:flex;flex-wrap:wrap;gap:0 2em}svg{flex:3 1 30em;min-width:0;max-width:100%;height:auto}
dl{flex:1 1 14em;display:grid;grid-template-columns:1fr 6em 3.5em;gap:.15em .5em;align-content:start;margin:.3em 0}
dt{overflow-wrap:anywhere}dd{margin:0;text-align:right}dd:nth-of-type(odd){background:#e8e8e8}
dd i{display:block;height:100%;background:#4a6fa5}p{margin:.2em 0;overflow-wrap:anywhere}.plain{color:#666}"""


class Page:
    """The page, clip by clip. What is shown waits in a temporary file, so memory does not grow with the clips.

    Args:
        support: the examples, for the clips that are nearest.
        about: lines that say which model this is.
    """

    def __init__(self, support: SupportSet, about: str):
        self.support, self.about = support, about
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the page)
        self._articles: list[tuple[float, int, int]] = []  # margin, start, length
        self._unread: list[Prediction] = []
        self._used: set[int] = set()

    def add(self, prediction: Prediction) -> None:
        """Add a clip."""
        if prediction.reason:
            self._unread.append(prediction)
            return
        if prediction.nearest:
            self._used.add(prediction.nearest.number)
        article = self._article(prediction, len(self._articles)).encode()
        start = self._file.seek(0, 2)
        self._file.write(article)
        self._articles.append((prediction.margin, start, len(article)))

    def write(self, path: str | Path) -> None:
        """Write the page."""
        with atomic(path) as temporary, temporary.open("wb") as page:
            page.write(self._head().encode())
            for _, start, length in sorted(self._articles):
                self._file.seek(start)
                page.write(self._file.read(length))
            page.write(self._unread_clips().encode())
            page.write(b"</body></html>\n")
        self._file.close()

    def _head(self) -> str:
        shots = self.support.shots
        classes = "".join(
            f"<li>{html.escape(name)}{f' ({shot} examples)' if shot else ''}</li>"
            for name, shot in zip(self.support.class_names, shots, strict=True)
        )
        # Each example once, however many clips are nearest to it.
        examples = "".join(_picture(f"s{number}", self.support.strips[number]) for number in sorted(self._used))
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Labels of clips</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<style>{STYLE}{OWN_STYLE}</style><body><h1>Labels of {len(self._articles)} clips</h1>"
            f"<p>{html.escape(self.about).replace(chr(10), '<br>')}</p>"
            f"<details><summary>{len(shots)} classes</summary><ul>{classes}</ul></details>"
            "<p class=plain>The most doubtful come first: those whose second class is nearly as near. "
            f"{BARS[self.support.temperature is not None]} Below the frames that were looked at are those of the "
            "nearest example; lines join the frames that were aligned, thicker where they are more alike.</p>"
            f'<svg width="0" height="0" style="position:absolute"><defs>{examples}</defs></svg>'
        )

    def _article(self, prediction: Prediction, number: int) -> str:
        assert prediction.scores is not None
        order = np.argsort(-prediction.scores)[:SHOWN]
        bars = "".join(
            f"<dt>{html.escape(self.support.class_names[i])}</dt>"
            f'<dd><i style="width:{100 * prediction.scores[i]:.1f}%"></i></dd>'
            f"<dd>{100 * prediction.scores[i]:.1f} %</dd>"
            for i in order
        )
        nearest = prediction.nearest
        near = ""
        if nearest:
            name = self.support.class_names[int(self.support.labels[nearest.number])]
            near = f"<p>nearest example: {html.escape(name)}, {html.escape(self.support.paths[nearest.number])}</p>"
        return (
            f"<article><h3>{html.escape(prediction.label)}</h3><p class=plain>"
            f"{html.escape(readable(prediction.clip.path))}, margin {100 * prediction.margin:.1f} %</p><div>"
            f"{_frames(prediction.strip, nearest, number)}<dl>{bars}</dl></div>{near}</article>"
        )

    def _unread_clips(self) -> str:
        if not self._unread:
            return ""
        rows = "".join(
            f"<tr><td>{html.escape(readable(one.clip.path))}</td><td>{html.escape(one.reason)}</td></tr>"
            for one in self._unread
        )
        return f"<h2>Clips that cannot be read</h2><table><tr><th>clip<th>reason</tr>{rows}</table>"


def _picture(name: str, strip: bytes) -> str:
    return f'<image id="{name}" height="{THUMBNAIL}" href="data:image/jpeg;base64,{b64encode(strip).decode()}"/>'


def _frames(strip: bytes, nearest: Nearest | None, number: int) -> str:
    """Return the frames of a clip and, below them, those of the nearest example, with the alignment in between."""
    frames = _count(strip)
    width = THUMBNAIL * frames
    if nearest is None:
        return f'<svg viewBox="0 0 {width} {THUMBNAIL}">{_picture(f"q{number}", strip)}</svg>'
    lowest, highest = float(nearest.distances.min()), float(nearest.distances.max())
    lines = "".join(
        f'<line x1="{_middle(row)}" y1="{THUMBNAIL}" x2="{_middle(column)}" y2="{THUMBNAIL + GAP}" '
        f'stroke-width="{1 + 5 * _likeness(nearest.distances[row, column], lowest, highest):.1f}"/>'
        for row, column in nearest.alignment
    )
    return (
        f'<svg viewBox="0 0 {width} {2 * THUMBNAIL + GAP}">{_picture(f"q{number}", strip)}'
        f'<g stroke="#4a6fa5" stroke-linecap="round">{lines}</g>'
        f'<use href="#s{nearest.number}" y="{THUMBNAIL + GAP}"/></svg>'
    )


def _middle(place: int) -> int:
    return THUMBNAIL * place + THUMBNAIL // 2


def _likeness(distance: float, lowest: float, highest: float) -> float:
    return 1.0 if highest == lowest else (highest - float(distance)) / (highest - lowest)


def _count(strip: bytes) -> int:
    return int(Image.open(io.BytesIO(strip)).width // THUMBNAIL)
