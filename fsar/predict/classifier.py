"""The classifier: examples of each class in, labels of new clips out. Nothing is trained."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

import fsar
from fsar.errors import UserError
from fsar.evaluation.episode_logits import DecidesBy
from fsar.fabric import one_device
from fsar.job import progress
from fsar.model.methods import METHODS
from fsar.predict.clips import Clip, Examples, Source, list_clips, list_examples
from fsar.predict.decide import Decision
from fsar.predict.frames import read_clip
from fsar.predict.model import DEFAULT_BACKBONE, SMALL_CLIP, LabellingModel, load_folder, model_of_backbone
from fsar.predict.nearest import Nearest, SupportClips
from fsar.predict.strips import strip_of
from fsar.predict.support import SupportSet
from fsar.videos.frame import VideoError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """What is said of one clip.

    Attributes:
        clip: which.
        reason: why the clip cannot be read; empty if it can, and what follows is empty if it cannot.
        label: the most probable class.
        probabilities: (N,) of each class.
        logits: (N,) as the workflow's tests have them.
        nearest: the example it is nearest to; None without examples.
        strip: the frames that were looked at side by side, as JPEG; empty if they were not asked for.
    """

    clip: Clip
    reason: str = ""
    label: str = ""
    probabilities: NDArray[np.float32] | None = None
    logits: NDArray[np.float32] | None = None
    nearest: Nearest | None = None
    strip: bytes = b""

    @property
    def margin(self) -> float:
        """How far the most probable class is ahead of the second; 1 if there is one class, NaN for an unread clip."""
        if self.probabilities is None:
            return float("nan")
        ordered = np.sort(self.probabilities)[::-1]
        return float(ordered[0] - (ordered[1] if len(ordered) > 1 else 0.0))


class FewShotClassifier:
    """Labels clips by examples of each class, by the names of the classes, or by both.

    Args:
        backbone: a CLIP as it is: an architecture of open_clip, or a JSON file that describes one.
        weights: a tag of open_clip or a local weights file; OpenAI's weights without it.
        method: one of `fsar.model.methods.METHODS`.
        decides_by: few-shot, text or both; without it as the method does, and by text where there are names alone.
        device: auto, cpu or cuda.

    `FewShotClassifier.load` takes a trained model instead.
    """

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        weights: str | None = None,
        method: str | None = None,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
    ):
        self._begin(model_of_backbone(backbone, weights, method), decides_by, device)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        method: str | None = None,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
    ) -> "FewShotClassifier":
        """Load a trained model from its folder: one of the workflow's (results/models/…), or an exported one.

        Raises:
            UserError: it is no such folder, or its files do not fit one another.
        """
        return cls.of_model(load_folder(Path(folder), method), decides_by, device)

    @classmethod
    def of_model(
        cls, model: LabellingModel, decides_by: DecidesBy | None = None, device: str = "auto"
    ) -> "FewShotClassifier":
        """Return a classifier that uses a model."""
        classifier = cls.__new__(cls)
        classifier._begin(model, decides_by, device)
        return classifier

    def _begin(self, model: LabellingModel, decides_by: DecidesBy | None, device: str) -> None:
        self.model = model.to(one_device(device, model.settings.float32))
        self._asked: DecidesBy = decides_by or METHODS[model.settings.method].decides_by
        self.decides_by = self._asked
        self.examples: SupportSet | None = None
        self.unreadable: list[Prediction] = []

    def describe(self) -> str:
        """Say which model and weights these are, and what they know."""
        about = self.model.settings
        lines = [f"{METHODS[about.method].title} ({about.method}), deciding by {self.decides_by}: {about.knows}."]
        if about.backbone.model == SMALL_CLIP:
            lines.append(
                "Its CLIP is the demo's and has seen drawn shapes only: what it says of real clips means nothing."
            )
        return "\n".join(lines)

    def support(self, examples: Examples | Sequence[str]) -> "FewShotClassifier":
        """Take examples of each class, or the names of the classes alone.

        Args:
            examples: the clips of each class by its name; a folder with a sub-folder per class; a CSV with the columns
                path and class; or a list of class names, which then decide by themselves.

        Examples that cannot be read are left out, and listed with their reasons in `unreadable`.

        Raises:
            UserError: the examples cannot be used, or none of a class can be read.
        """
        if isinstance(examples, Sequence) and not isinstance(examples, str | Path):
            return self._take({name: [] for name in examples}, by_names=True)
        return self._take(list_examples(examples), by_names=False)

    def _take(self, examples: dict[str, list[Clip]], by_names: bool) -> "FewShotClassifier":
        if not examples:
            raise UserError("There is no class to choose from")
        self.decides_by = "text" if by_names else self._asked
        self.unreadable = []
        features, labels, strips, clips = [], [], [], []
        listed = [(label, clip) for label, own in enumerate(examples.values()) for clip in own]
        for label, clip in progress(listed, "examples", "clip"):
            try:
                frames = self._read(clip)
            except VideoError as error:
                self.unreadable.append(Prediction(clip, reason=str(error)))
                log.warning("%s: %s; this example is left out", clip.path, error)
                continue
            features.append(self.model.encode(frames).cpu())
            labels.append(label)
            strips.append(strip_of(frames.numpy()))
            clips.append(clip)
        if not by_names and (lost := [n for i, n in enumerate(examples) if i not in labels]):
            raise UserError(f"No example of the class {lost[0]!r} can be read")
        width, settings = self.model.backbone.width, self.model.settings
        text, scale = torch.zeros(len(examples), width), 1.0
        if settings.components.compares_with_text or self.decides_by != "few-shot":
            text, scale = self.model.encode_classes(list(examples))
        self._use(
            SupportSet(
                class_names=list(examples),
                video_ids=[clip.video_id for clip in clips],
                paths=[str(clip.path) for clip in clips],
                labels=torch.tensor(labels, dtype=torch.int64),
                features=torch.stack(features) if features else torch.empty(0, settings.sampling.frames, width),
                text=text.cpu(),
                text_scale=scale,
                strips=strips,
            )
        )
        return self

    def save_support(self, path: str | Path) -> None:
        """Write the support set, with what made it, as one safetensors file."""
        settings = self.model.settings
        provenance = {
            "model": self.model.fingerprint(),
            "method": settings.method,
            "decides_by": self.decides_by,
            "settings": settings.record(),
            "fsar": fsar.__version__,
        }
        replace(self.support_set, provenance=provenance).save(path)

    def load_support(self, path: str | Path) -> "FewShotClassifier":
        """Take a saved support set: neither the examples nor the text encoder are needed again.

        Raises:
            UserError: it cannot be read, was made with another model, or lacks what is needed to decide.
        """
        support = SupportSet.read(path)
        made_by = support.provenance
        if made_by.get("model") != self.model.fingerprint():
            raise UserError(
                f"The support set {path} was made with another model ({made_by['settings']['knows']}); load that one, "
                "or make the support set again from the examples"
            )
        self.decides_by = self._asked if len(support.features) else "text"
        if self.decides_by != "few-shot" and not support.text.any():
            raise UserError(f"The support set {path} has no texts of its classes; make it again, deciding by them")
        self._use(support)
        return self

    def _use(self, support: SupportSet) -> None:
        self.examples = support
        device = self.model.device
        features, labels, text = (value.to(device) for value in (support.features, support.labels, support.text))
        self.decision = Decision(self.model.head, self.decides_by, text, support.text_scale)
        self._prototypes = self.decision.prototypes(features, labels)
        self._clips = SupportClips(self.decision, features, labels) if len(features) else None

    @property
    def support_set(self) -> SupportSet:
        """The examples; raises UserError before there are any."""
        if self.examples is None:
            raise UserError("There are no examples yet: call support() first")
        return self.examples

    @property
    def class_names(self) -> list[str]:
        """The classes to choose from."""
        return self.support_set.class_names

    def _read(self, clip: Clip) -> Tensor:
        about = self.model.settings
        frames = read_clip(
            clip.path, clip.video_id, about.frames, about.sampling, about.seed, self.model.backbone.image_size
        )
        return torch.from_numpy(frames)

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits of clips by their features: (Q, T, D) → (Q, N)."""
        assert self.support_set
        return self.decision.logits(features, self._prototypes)

    def predictions(self, clips: Iterable[Clip], strips: bool = True) -> Iterator[Prediction]:
        """Yield what is said of each clip, one after the other: memory does not grow with their number.

        Args:
            clips: which clips.
            strips: whether the frames that were looked at are wanted, too.
        """
        names = self.class_names
        for clip in clips:
            try:
                frames = self._read(clip)
            except VideoError as error:
                yield Prediction(clip, reason=str(error))
                continue
            features = self.model.encode(frames).unsqueeze(0)  # (1, T, D)
            logits = self.logits(features)
            probabilities = self.decision.probabilities(logits)[0].cpu().numpy()
            yield Prediction(
                clip,
                label=names[int(probabilities.argmax())],
                probabilities=probabilities,
                logits=logits[0].cpu().numpy(),
                nearest=self._clips.nearest(features) if self._clips else None,
                strip=strip_of(frames.numpy()) if strips else b"",
            )

    def predict(self, clips: Source) -> pd.DataFrame:
        """Label clips.

        Args:
            clips: files, folders, or a CSV with the column path.

        Returns:
            A row per clip, in their order: path, label, its probability, the margin over the second class, the example
            it is nearest to, the reason if it cannot be read, and the probability of each class as `p(class)`.
        """
        listed = list_clips(clips)
        rows = progress(self.predictions(listed, strips=False), "clips", "clip", total=len(listed))
        return table([self.row(prediction) for prediction in rows], self.class_names)

    def row(self, prediction: Prediction) -> dict[str, Any]:
        """Return one row of the table of `predict`."""
        nearest = prediction.nearest
        found = prediction.probabilities
        row: dict[str, Any] = {
            "path": str(prediction.clip.path),
            "label": prediction.label,
            "probability": float("nan") if found is None else float(found.max()),
            "margin": prediction.margin,
            "nearest": self.support_set.paths[nearest.number] if nearest else "",
            "reason": prediction.reason,
        }
        each = np.full(len(self.class_names), np.nan) if found is None else found
        return row | {f"p({name})": float(p) for name, p in zip(self.class_names, each, strict=True)}


def table(rows: Sequence[dict[str, Any]], class_names: Sequence[str]) -> pd.DataFrame:
    """Return rows of `FewShotClassifier.row` as a table, which has its columns without a row too."""
    columns = ["path", "label", "probability", "margin", "nearest", "reason", *(f"p({name})" for name in class_names)]
    return pd.DataFrame(rows, columns=columns)
