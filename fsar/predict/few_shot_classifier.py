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
from fsar.model.text import looks_of
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
        model: one of these:
            a pretrained backbone, by its architecture in open_clip or timm, by a JSON file that describes one of
            open_clip's, or `efficientnet-lite0`, whose weights come by pip;
            a trained model, by its folder or by owner/name on Hugging Face's hub;
            a file that `save` wrote with a pretrained backbone, and whose examples are then used;
            a model that is already loaded.
        weights: of a backbone: a tag of its library, or a local file. By default OpenAI's weights of a CLIP.
        method: one of `fsar.methods.METHODS`.
        decides_by: `few-shot`, `text` or `both`. By default the method or the saved examples say it; if there are
            class names alone, it is `text`.
        device: `auto`, `cpu` or `cuda`.
        frames: `centres`: the middle frames of equal parts of a clip. `drawn`: random ones by the clip's id, as in
            the workflow's tests.
        motion: share of what moves in the cosine of two frames (docs/motion.md). `auto`: the share with which the
            examples label one another best. By default the model's own share.

    Raises:
        UserError: the model cannot be loaded, or an argument has a value that is not allowed.

    Examples:
        >>> from fsar import FewShotClassifier
        >>> classifier = FewShotClassifier("efficientnet-lite0", device="cpu")
        >>> classifier = classifier.support("examples")  # a folder with a sub-folder per class
        >>> classifier.class_names
        ['closing a door', 'opening a door', 'waving']
        >>> classifier.predict("new.mp4")["label"].item()
        'waving'
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
            UserError: it is no such folder, its files do not fit one another, or an argument has a wrong value.

        Examples:
            >>> trained = FewShotClassifier.load("model", device="cpu")
            >>> trained.support("examples").class_names
            ['closing a door', 'opening a door', 'waving']
        """
        return cls(load_folder(Path(folder), method), None, None, decides_by, device, frames, motion)

    def add(self, name: str, clips: NamedClips) -> Self:
        """Add examples of a class, or of a new class.

        If the first examples decided the share of what moves, it stays as it is.

        Raises:
            UserError: there are no examples yet, or none of these can be read.

        Examples:
            >>> more = FewShotClassifier("support.safetensors", device="cpu")  # which save() wrote
            >>> more.add("jumping", ["long.mp4"]).class_names
            ['closing a door', 'opening a door', 'waving', 'jumping']
        """
        if not len(self.support_set.labels):
            raise UserError("Names alone decide so far: give examples of each class to support() first")
        more, unreadable = make_support_set(
            self.model, list_examples({name: clips}), joint=self.decides_by != "few-shot"
        )
        self.unreadable += unreadable
        words = looks_of(self.model.settings.components) == "tokens"
        self._use(self.support_set.with_more(more, words))
        self._calibrate()
        return self

    def predict(
        self, clips: NamedClips, top_k: int = 1, batch_size: int | None = None, workers: int | None = None
    ) -> pd.DataFrame:
        """Label clips.

        Args:
            clips: files, folders, a CSV with the column path, or frames in memory, (T, H, W, 3) RGB bytes each.
            top_k: number of classes to name for each clip: label, label_2, label_3 …, each with its probability.
            batch_size, workers: see `predictions`.

        Returns:
            A row per clip, in their order: path, label, its probability, the margin over the second class, the nearest
            example, the reason if the clip cannot be read, and the probability of each class as `p(class)`. If there
            are too few examples to calibrate probabilities, the columns are `score` and `score(class)` instead.

        Raises:
            UserError: something else than a clip is given, or the model gives NaN or infinite numbers.

        Examples:
            >>> import numpy as np
            >>> frames = np.zeros((30, 48, 64, 3), np.uint8)  # a black clip in memory
            >>> table = classifier.predict(["new.mp4", frames], top_k=2)
            >>> table["label"][0], len(table), "label_2" in table
            ('waving', 2, True)
        """
        listed = list_clips(clips)
        said = self.predictions(listed, False, batch_size, workers)
        found = progress(said, "clips", "clip", total=len(listed))
        return with_top(
            table([row(each, self.support_set) for each in found], self.support_set), self.support_set, top_k
        )

    def check(self) -> Check:
        """Return how good the examples are, each left out in turn (`fsar.predict.check.Check`).

        Examples:
            >>> classifier.check().tested
            12
        """
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
            threshold: nearness below which a window gets no label. By default it is estimated from the examples.
            smooth: number of windows, an odd number, over which scores are averaged.

        Returns:
            A row per action: start, end (seconds), label (empty for none of the classes) and score.

        Raises:
            UserError: nothing of the video can be read, or an argument is out of range.

        Examples:
            >>> list(classifier.spot("long.mp4", window=2, stride=1).columns)
            ['start', 'end', 'label', 'score']
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
        """Label pictures as they come, such as those of a camera: yield a window after each stride.

        The other arguments are those of `spot`.

        Args:
            pictures: (H, W, 3) RGB bytes each.
            fps: pictures per second.

        Raises:
            UserError: there is no picture, or an argument is out of range.

        Examples:
            >>> camera = (np.full((48, 64, 3), shade, np.uint8) for shade in range(100))
            >>> windows = list(classifier.stream(camera, fps=25, window=2, stride=1))
            >>> [(window.start, window.end) for window in windows]
            [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0)]
        """
        yield from self._spotter(window, stride, threshold, smooth).stream(pictures, fps)

    def _spotter(self, window: float, stride: float, threshold: float | None, smooth: int) -> Spotter:
        none_of_these = estimate_threshold(self) if threshold is None else Threshold(threshold)
        return Spotter(self, window, stride, none_of_these, smooth)
