"""The classifier as Python has it: examples of each class in, labels of new clips out. Nothing is trained."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsar.errors import UserError
from fsar.evaluation.episode_logits import DecidesBy
from fsar.job import progress
from fsar.predict.check import Check, check_support
from fsar.predict.classifier import Classifier, Frames
from fsar.predict.clips import NamedClips, list_clips, list_examples
from fsar.predict.examples import make_support_set
from fsar.predict.load import DEFAULT_BACKBONE, is_support_set, load_folder, named_model
from fsar.predict.model import LabellingModel
from fsar.predict.motion_share import Motion
from fsar.predict.own_threshold import estimate_threshold
from fsar.predict.spot import Spotter, Window
from fsar.predict.table import row, table, with_top
from fsar.predict.threshold import Threshold
from fsar.predict.timeline import joined, stretches


class FewShotClassifier(Classifier):
    """Labels clips by examples of each class, by the names of the classes, or by both.

    Args:
        model: a backbone as it is: an architecture of open_clip or timm, a JSON file that describes one of open_clip's,
            or `efficientnet-lite0`, whose weights come by pip. Or a trained model: its folder, or owner/name on
            Hugging Face's hub. Or a support set that `save` wrote with a backbone as it is, whose examples it then has.
            Or a model that is loaded already.
        weights: of a backbone: a tag of its library or a local file; without it OpenAI's of a CLIP.
        method: one of `fsar.methods.METHODS`.
        decides_by: few-shot, text or both; without it as the method does, or as a saved support set did, and by text
            where there are names alone.
        device: auto, cpu or cuda.
        frames: centres, or drawn by the id of a clip, as the workflow's own tests draw them.
        motion: share of what moves in the cosine of two frames; auto, as the examples tell, each left out in turn;
            without it the model's own (docs/motion.md).

    Raises:
        UserError: the model cannot be loaded, or an argument is none of its values.
    """

    def __init__(
        self,
        model: str | Path | LabellingModel = DEFAULT_BACKBONE,
        weights: str | None = None,
        method: str | None = None,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
        frames: Frames = "centres",
        motion: Motion = None,
    ):
        loaded = model if isinstance(model, LabellingModel) else named_model(model, weights, method)
        super().__init__(loaded, decides_by, device, frames, motion)
        if not isinstance(model, LabellingModel) and is_support_set(model):
            self.load_support(model)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        method: str | None = None,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
        frames: Frames = "centres",
        motion: Motion = None,
    ) -> Self:
        """Load a trained model from its folder: one of the workflow's (results/models/…), or an exported one.

        Raises:
            UserError: it is no such folder, its files do not fit one another, or an argument is none of its values.
        """
        return cls(load_folder(Path(folder), method), None, None, decides_by, device, frames, motion)

    def add(self, name: str, clips: NamedClips) -> Self:
        """Take further examples of a class, or those of a new class.

        The share of what moves, if the examples told it, stays.

        Raises:
            UserError: there are no examples yet, or none of these can be read.
        """
        if not len(self.support_set.labels):
            raise UserError("Names alone decide so far: give examples of each class to support() first")
        more, unreadable = make_support_set(
            self.model, list_examples({name: clips}), joint=self.decides_by != "few-shot"
        )
        self.unreadable += unreadable
        self._use(self.support_set.with_more(more))
        self._calibrate()
        return self

    def predict(
        self, clips: NamedClips, top_k: int = 1, batch_size: int | None = None, workers: int | None = None
    ) -> pd.DataFrame:
        """Label clips.

        Args:
            clips: files, folders, a CSV with the column path, or frames in memory, (T, H, W, 3) RGB bytes each.
            top_k: how many classes are named of each clip, as label, label_2, label_3 …, each with its number.
            batch_size, workers: see `predictions`.

        Returns:
            A row per clip, in their order: path, label, its probability, the margin over the second class, the example
            it is nearest to, the reason if it cannot be read, and the probability of each class as `p(class)`. Where
            there are too few examples to calibrate probabilities, they are `score` and `score(class)` instead.

        Raises:
            UserError: a clip is none, or what the model gives is NaN or infinite.
        """
        listed = list_clips(clips)
        said = self.predictions(listed, False, batch_size, workers)
        found = progress(said, "clips", "clip", total=len(listed))
        return with_top(
            table([row(each, self.support_set) for each in found], self.support_set), self.support_set, top_k
        )

    def check(self) -> Check:
        """Return how good the examples are, each left out in turn (`fsar.predict.check.Check`)."""
        return check_support(self)

    def spot(
        self,
        video: str | Path,
        window: float = 2.0,
        stride: float = 0.5,
        threshold: float | None = None,
        smooth: int = 1,
    ) -> pd.DataFrame:
        """Find which action a long video shows, and when.

        Args:
            video: a file.
            window, stride: length of a window, and the time from one to the next, in seconds.
            threshold: nearness below which a window shows none of the classes; estimated from the examples without it.
            smooth: over how many windows, an odd number, what is said is averaged.

        Returns:
            A row per stretch: start, end (seconds), label (empty for none of the classes) and score.

        Raises:
            UserError: nothing of the video can be read, or an argument is out of range.
        """
        found = stretches(self._spotter(window, stride, threshold, smooth).windows(video))
        return pd.DataFrame(joined(found, window / 2), columns=["start", "end", "label", "score"])

    def stream(
        self,
        pictures: Iterable[NDArray[np.uint8]],
        fps: float,
        window: float = 2.0,
        stride: float = 0.5,
        threshold: float | None = None,
        smooth: int = 1,
    ) -> Iterator[Window]:
        """Yield what pictures show as they come, such as those of a camera; arguments otherwise as those of `spot`.

        Args:
            pictures: (H, W, 3) RGB bytes each.
            fps: how many there are in a second.

        Raises:
            UserError: there is no picture, or an argument is out of range.
        """
        yield from self._spotter(window, stride, threshold, smooth).stream(pictures, fps)

    def _spotter(self, window: float, stride: float, threshold: float | None, smooth: int) -> Spotter:
        none_of_these = estimate_threshold(self) if threshold is None else Threshold(threshold)
        return Spotter(self, window, stride, none_of_these, smooth)
