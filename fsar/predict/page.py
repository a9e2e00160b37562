"""The page of predictions: one file of HTML that opens offline, the most doubtful clips first.

It plays the clips where they lie, so its links to them hold as long as they stay where they are, seen from the page.
"""

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from PIL import Image

from fsar.files import readable
from fsar.pages.render import template, write_page
from fsar.pages.strips import THUMBNAIL
from fsar.predict.nearest import Nearest
from fsar.predict.prediction import UNKNOWN, Prediction
from fsar.predict.support import SupportSet

WHOLE, ONE = "labels.html.jinja", "label.html.jinja"
SHOWN = 5  # classes with their scores
GAP = 64  # pixels between the two rows of frames, for the alignment


class Page:
    """The page, clip by clip. What is shown waits in a temporary file, so memory does not grow with the clips.

    Args:
        path: HTML file.
        support: the examples, for the clips that are nearest.
        about: lines that say which model this is.
    """

    def __init__(self, path: str | Path, support: SupportSet, about: str):
        self.path, self.support, self.about = Path(path), support, about
        self._one = template(Path(__file__).parent, ONE)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the page)
        self._places: list[tuple[float, int, int]] = []  # margin, start, length
        self._unread: list[tuple[str, str]] = []  # paths and reasons
        self._used: set[int] = set()  # examples
        self._refused = 0  # clips that are labelled unknown

    def add(self, prediction: Prediction) -> None:
        """Add a clip."""
        if prediction.reason:
            self._unread.append((readable(self._from_here(prediction.clip.path)), prediction.reason))
            return
        if prediction.nearest:
            self._used.add(prediction.nearest.number)
        self._refused += prediction.label == UNKNOWN and UNKNOWN not in self.support.class_names
        label = self._one.render(self._shown(prediction)).encode()
        start = self._file.seek(0, 2)
        self._file.write(label)
        self._places.append((prediction.margin, start, len(label)))

    def write(self) -> None:
        """Write the page."""
        write_page(
            self.path,
            template(Path(__file__).parent, WHOLE),
            title="Labels of clips",
            heading=f"Labels of {len(self._places)} clips",
            about=self.about,
            classes=list(zip(self.support.class_names, self.support.shots, strict=True)),
            unknown=UNKNOWN if self._refused else "",
            calibrated=self.support.temperature is not None,
            side=THUMBNAIL,
            examples=((number, self.support.strips[number]) for number in sorted(self._used)),
            labels=self._labels(),
            unread=pd.DataFrame(self._unread, columns=["clip", "reason"]),
        )
        self._file.close()

    def _labels(self) -> Iterator[str]:
        """Yield the HTML of what was added, the most doubtful first."""
        for _, start, length in sorted(self._places):
            self._file.seek(start)
            yield self._file.read(length).decode()

    def _from_here(self, path: str | Path) -> str:
        """Return a path relative to the folder of the page."""
        return os.path.relpath(path, self.path.parent)

    def _shown(self, prediction: Prediction) -> dict[str, Any]:
        assert prediction.scores is not None
        first = np.argsort(-prediction.scores)[:SHOWN]
        path = self._from_here(prediction.clip.path)
        return {
            "number": len(self._places),
            "label": prediction.label,
            "path": readable(path),
            "href": quote(os.fsencode(path)),
            "margin": prediction.margin,
            "strip": prediction.strip,
            "frames": Image.open(io.BytesIO(prediction.strip)).width // THUMBNAIL,
            "side": THUMBNAIL,
            "gap": GAP,
            "scores": [(self.support.class_names[number], prediction.scores[number]) for number in first],
            "nearest": prediction.nearest and self._nearest(prediction.nearest),
        }

    def _nearest(self, nearest: Nearest) -> dict[str, Any]:
        """Return the nearest example, and the aligned pairs of frames, each with how alike they are, from 0 to 1."""
        lowest, highest = float(nearest.distances.min()), float(nearest.distances.max())
        span = highest - lowest
        lines = [
            (row, column, (highest - float(nearest.distances[row, column])) / span if span else 1.0)
            for row, column in nearest.alignment
        ]
        name = self.support.class_names[int(self.support.labels[nearest.number])]
        path = self.support.paths[nearest.number]
        path = readable(self._from_here(path)) if Path(path).is_absolute() else path
        return {"number": nearest.number, "class_name": name, "path": path, "lines": lines}
