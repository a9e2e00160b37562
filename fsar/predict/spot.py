"""Long videos: what is shown when. One decoding pass; memory does not grow with length.

Frames are taken at even distances in time, a window's length divided by T. A window is then T frames in a row, and the
next window begins a whole number of frames later. Each frame is encoded once, whichever windows it is in, where a
method looks at frames one by one; where it looks at a clip as a whole, each window is encoded.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.errors import UserError
from fsar.files import readable
from fsar.methods.needs import Tensors
from fsar.predict.classifier import Classifier
from fsar.predict.frames import as_stored, converted, decoded
from fsar.predict.threshold import Threshold
from fsar.videos.frame import Flaws, Frame, VideoError

BATCH = 32  # frames encoded in one call
# Times of frames are rounded to the unit of a container's clock, mostly a millisecond: a frame that is shown so much
# after a moment is still the one of that moment.
ROUNDING = 0.0015  # seconds


@dataclass(frozen=True)
class Window:
    """The label of one window of a long video.

    Attributes:
        start, end: in seconds from the start of the presentation.
        label: the class with the highest score; empty for none of the classes.
        score: the score of that class.
        nearness: how near that class is (`Decision.nearness`). It is compared with the threshold.
        scores: (N,), the score of each class.

    Examples:
        >>> window = next(classifier.stream(iter(frames), fps=10))
        >>> window.label in ("", *classifier.class_names), window.scores.shape
        (True, (3,))
    """

    start: float
    end: float
    label: str
    score: float
    nearness: float
    scores: NDArray[np.float32]


class Spotter:
    """Finds actions in long videos.

    Args:
        classifier: with its examples or names.
        window, stride: of the windows, in seconds; the stride becomes the nearest whole number of frame distances.
        threshold: for “none of these”.
        smooth: over how many windows, an odd number, what is said of each is averaged: itself and its neighbours.

    Raises:
        UserError: a window or stride that is not positive, or an even number of windows.
    """

    def __init__(self, classifier: Classifier, window: float, stride: float, threshold: Threshold, smooth: int = 1):
        if not (0 < window < float("inf") and 0 < stride < float("inf")):
            raise UserError(f"The window ({window:g} s) and the stride ({stride:g} s) must be positive")
        if smooth < 1 or smooth % 2 == 0:
            raise UserError(f"Windows are averaged over an odd number of them, such as 3, and not over {smooth}")
        self.classifier, self.threshold, self.window, self.smooth = classifier, threshold, window, smooth
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
            UserError: nothing of the video can be read, or what the model gives is NaN or infinite.
        """
        stored = self.classifier.model.settings.frames
        yield from self._windows(_Video(decoded(path, stored, float("inf")), self), readable(path))

    def stream(self, pictures: Iterable[NDArray[np.uint8]], fps: float) -> Iterator[Window]:
        """Yield the windows of pictures as they come, (H, W, 3) RGB bytes each, such as those of a camera.

        A window is yielded with the first picture that is later than the middle of its last part.

        Args:
            pictures: in order.
            fps: how many there are in a second.

        Raises:
            UserError: there is no picture, `fps` is not positive, or what the model gives is NaN or infinite.
        """
        if not 0 < fps < float("inf"):
            raise UserError(f"The pictures of a second are a positive number, and not {fps:g}")
        stored = self.classifier.model.settings.frames
        yield from self._windows(_Video(converted(pictures, stored, fps), self, batch=1), "The stream")

    def _windows(self, video: "_Video", name: str) -> Iterator[Window]:
        self.broken = ""
        yield from map(self._window, smoothed(self._scored(video), self.smooth))
        if not video.count:
            raise UserError(f"{name}: {self.broken or 'it has no frames'}")

    def _looked_at(self, video: "_Video") -> Iterator[tuple[int, Tensors]]:
        """Yield the number of each window's first frame, and what is kept of the window, (1, …) each."""
        apart = self.classifier.model.frames_apart
        recent: deque[Tensor] = deque(maxlen=self.frames)  # the last T frames: (D,) features each, or pictures
        for frame in (
            self._features(video.pictures(), video.batch) if apart else map(torch.from_numpy, video.pictures())
        ):
            recent.append(frame)
            video.count += 1
            first = video.count - self.frames
            if first >= 0 and first % self.steps == 0:
                yield first, self._kept(list(recent), apart)
        if 0 < video.count < self.frames:
            repeated = np.arange(self.frames) * video.count // self.frames
            yield 0, self._kept([recent[i] for i in repeated], apart)

    def _kept(self, frames: list[Tensor], apart: bool) -> Tensors:
        """Return what is kept of a window, (1, …) each."""
        window = torch.stack(frames).unsqueeze(0)
        return {"frames": window} if apart else self.classifier.encode(window)

    def _scored(self, video: "_Video") -> "Iterator[_Scored]":
        """Yield what each window is said to show."""
        for first, stored in self._looked_at(video):
            start = video.start + first * self.distance
            _, logits, near = self.classifier.decide(stored)
            scores = self.classifier.scores(logits)[0].cpu().numpy()
            yield _Scored(start, min(start + self.window, video.end), scores, near[0].cpu().numpy())

    def _window(self, scored: "_Scored") -> Window:
        best = int(scored.scores.argmax())
        nearness = float(scored.near[best])
        label = self.classifier.class_names[best] if nearness >= self.threshold.nearness else ""
        return Window(scored.start, scored.end, label, float(scored.scores[best]), nearness, scored.scores)

    def _features(self, pictures: Iterable[NDArray[np.uint8]], size: int) -> Iterator[Tensor]:
        """Yield the features of frames, (D,) each, encoded `size` at a time."""
        for batch in _batches(pictures, size):
            yield from self.classifier.encode(torch.from_numpy(np.stack(batch)).unsqueeze(0))["frames"][0]


class _Scored(NamedTuple):
    """The scores of a window's classes, and how near each is, (N,) both."""

    start: float
    end: float
    scores: NDArray[np.float32]
    near: NDArray[np.float32]


def smoothed(windows: Iterable[_Scored], count: int) -> Iterator[_Scored]:
    """Average what is said of each window over `count` of them, of which it is the middle; at the ends over fewer."""
    around = count // 2
    held: deque[_Scored] = deque(maxlen=count)
    ahead = 0  # windows held that come after the next one to be yielded
    for window in windows:
        held.append(window)
        ahead += 1
        if ahead > around:
            yield _averaged(list(held), len(held) - ahead)
            ahead -= 1
    while ahead:
        while len(held) > ahead + around:
            held.popleft()
        yield _averaged(list(held), len(held) - ahead)
        ahead -= 1


def _averaged(windows: list[_Scored], middle: int) -> _Scored:
    scores, near = (np.mean([getattr(one, name) for one in windows], axis=0) for name in ("scores", "near"))
    return windows[middle]._replace(scores=scores, near=near)


class _Video:
    """One pass through a video.

    Attributes:
        batch: how many frames are encoded in one call; a stream does not wait for several.
        count: how many frames were looked at.
        start: time of its first frame, in seconds.
        end: until when its last frame so far is shown, as far as is known.
    """

    def __init__(self, parts: Iterator[Frame | Flaws], spotter: Spotter, batch: int = BATCH):
        self.parts, self.spotter, self.batch = parts, spotter, batch
        self.count, self.start, self.end = 0, 0.0, float("inf")

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frame that is shown in the middle of each distance, as the model sees it."""
        model = self.spotter.classifier.model
        stored, size = model.settings.frames, model.backbone.image_size
        taken = 0
        shown: Frame | None = None  # until the next frame comes
        picture: NDArray[np.uint8] | None = None  # of what is shown, made when it is wanted
        step = 0.0
        try:
            for part in self.parts:
                if isinstance(part, Flaws):
                    self.spotter.broken = f"{part.lost} frames are lost: {part.reason}" if part.lost else ""
                    break
                if shown is None:
                    self.start = part.time
                else:
                    step = part.time - shown.time
                while shown is not None and self._middle(taken) < part.time - ROUNDING:
                    picture = as_stored(shown.planes, stored, size) if picture is None else picture
                    yield picture
                    taken += 1
                shown, picture = part, None
        except VideoError as error:
            self.spotter.broken = str(error)
        if shown is None:
            return
        # The last frame is shown as long as the file says, as the one before it, or as the rate says.
        self.end = shown.time + (shown.duration or step or (1 / shown.facts.fps if shown.facts.fps else 0.0))
        while taken == 0 or self._middle(taken) < self.end - ROUNDING:
            picture = as_stored(shown.planes, stored, size) if picture is None else picture
            yield picture
            taken += 1

    def _middle(self, taken: int) -> float:
        return self.start + (taken + 0.5) * self.spotter.distance


def _batches(pictures: Iterable[NDArray[np.uint8]], size: int) -> Iterator[list[NDArray[np.uint8]]]:
    batch = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
