"""Long videos: what is shown when. One decoding pass; windows share encoded frames; memory does not grow with length.

Frames are taken at even distances, a window's length divided by T. A window is then T frames in a row, and the next
window begins a whole number of frames later, so each frame is encoded once, whichever windows it is in.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.errors import UserError
from fsar.predict.classifier import FewShotClassifier
from fsar.predict.frames import as_stored, decoded
from fsar.predict.threshold import Threshold
from fsar.videos.frame import Flaws, VideoError

BATCH = 32  # frames encoded in one call


@dataclass(frozen=True)
class Window:
    """What is said of one window.

    Attributes:
        start, end: in seconds.
        label: the most probable class; empty for none of them.
        probability: of the most probable class.
        logit: its logit, which the threshold is compared with.
        probabilities: (N,) of each class.
    """

    start: float
    end: float
    label: str
    probability: float
    logit: float
    probabilities: NDArray[np.float32]


class Spotter:
    """Finds actions in long videos.

    Args:
        classifier: with its examples or names.
        window, stride: of the windows, in seconds; the stride becomes the nearest whole number of frame distances.
        threshold: for “none of these”.

    Raises:
        UserError: a window or stride that is not positive.
    """

    def __init__(self, classifier: FewShotClassifier, window: float, stride: float, threshold: Threshold):
        if not (window > 0 and stride > 0):
            raise UserError(f"The window ({window:g} s) and the stride ({stride:g} s) must be positive")
        self.classifier, self.threshold, self.window = classifier, threshold, window
        self.frames = classifier.model.settings.sampling.frames  # T
        self.distance = window / self.frames  # seconds between frames
        self.steps = max(round(stride / self.distance), 1)  # frames from one window to the next
        self.broken = ""  # what is wrong with the last video

    @property
    def stride(self) -> float:
        """Seconds from the start of one window to that of the next."""
        return self.steps * self.distance

    def windows(self, path: str | Path) -> Iterator[Window]:
        """Yield the windows of a video in order; one that is shorter than a window is a single one.

        Where frames are lost, or the video breaks off, `broken` says why.

        Raises:
            UserError: nothing of the video can be read.
        """
        recent: deque[Tensor] = deque(maxlen=self.frames)  # the last T features, (D,) each
        count, self.broken = 0, ""
        for feature in self._features(path):
            recent.append(feature)
            count += 1
            first = count - self.frames
            if first >= 0 and first % self.steps == 0:
                yield self._window(torch.stack(list(recent)), first)
        if not count:
            raise UserError(f"{path}: {self.broken}")
        if count < self.frames:
            repeated = np.arange(self.frames) * count // self.frames
            yield self._window(torch.stack([recent[i] for i in repeated]), 0)

    def _window(self, features: Tensor, first: int) -> Window:
        logits = self.classifier.logits(features.unsqueeze(0))
        probabilities = self.classifier.decision.probabilities(logits)[0].cpu().numpy()
        best = int(probabilities.argmax())
        start, logit = first * self.distance, float(logits[0, best])
        label = self.classifier.class_names[best] if logit >= self.threshold.logit else ""
        return Window(start, start + self.window, label, float(probabilities[best]), logit, probabilities)

    def _features(self, path: str | Path) -> Iterator[Tensor]:
        """Yield the features of the frames, (D,) each, encoded some at a time."""
        for batch in _batches(self._pictures(path)):
            yield from self.classifier.model.encode(torch.from_numpy(np.stack(batch)))

    def _pictures(self, path: str | Path) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames in the middle of each distance, as the model sees them."""
        model = self.classifier.model
        stored, size = model.settings.frames, model.backbone.image_size
        taken = 0
        try:
            for part in decoded(path, stored, float("inf")):
                if isinstance(part, Flaws):
                    self.broken = f"{part.lost} frames are lost: {part.reason}" if part.lost else ""
                    return
                fps = part.facts.fps
                if not fps:
                    raise VideoError("it does not say how many frames a second has")
                if part.position == self._position(taken, fps):
                    picture = as_stored(part.planes, stored, size)
                    while part.position == self._position(taken, fps):  # again where frames are further apart
                        yield picture
                        taken += 1
        except VideoError as error:
            self.broken = str(error)

    def _position(self, taken: int, fps: float) -> int:
        return int((taken + 0.5) * self.distance * fps)


def _batches(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    batch = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
