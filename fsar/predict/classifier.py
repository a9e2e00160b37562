"""The classifier: examples of each class in, labels of new clips out. Nothing is trained."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import pandas as pd
from torch import Tensor

import fsar
from fsar.class_names import one_spelling
from fsar.errors import UserError
from fsar.evaluation.episode_logits import DecidesBy
from fsar.fabric import one_device
from fsar.job import progress
from fsar.methods import METHODS
from fsar.methods.needs import Tensors
from fsar.model.finite import check_finite
from fsar.pages.strips import strip_of
from fsar.predict.clips import Clip, Examples, NamedClips, list_clips, list_examples
from fsar.predict.decide import JOINT, Decision
from fsar.predict.examples import make_support_set
from fsar.predict.leave_out import LabelledExamples
from fsar.predict.load import DEFAULT_BACKBONE, load_folder, model_of_backbone
from fsar.predict.model import LabellingModel
from fsar.predict.motion import Motion, check_motion, set_share, told_by
from fsar.predict.nearest import SupportClips
from fsar.predict.prediction import UNKNOWN, Prediction
from fsar.predict.support import SupportSet
from fsar.predict.table import class_columns, row, table
from fsar.predict.threshold import NOTHING, Threshold
from fsar.videos.frame import VideoError

# The demo's own CLIP.
SMALL_CLIP = "small-clip"
DEVICES = ("auto", "cpu", "cuda")

# Which frames of a clip are looked at: the middle one of each segment, or one drawn by the clip's id, as in the tests.
Frames = Literal["centres", "drawn"]


class FewShotClassifier:
    """Labels clips by examples of each class, by the names of the classes, or by both.

    Args:
        backbone: a CLIP as it is: an architecture of open_clip, or a JSON file that describes one.
        weights: a tag of open_clip or a local weights file; OpenAI's without it.
        method: one of `fsar.methods.METHODS`.
        decides_by: few-shot, text or both; without it as the method does, or as a saved support set did, and by text
            where there are names alone.
        device: auto, cpu or cuda.
        frames: centres, or drawn by the id of a clip, as the workflow's own tests draw them.
        motion: share of what moves in the cosine of two frames; auto, as the examples tell, each left out in turn;
            without it the model's own (docs/motion.md).

    `FewShotClassifier.load` takes a trained model instead. Clips below `threshold` are labelled unknown: set it to what
    `fsar.predict.threshold.estimate_threshold` returns.

    Raises:
        UserError: the model cannot be loaded, or an argument is none of its values.
    """

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,
        weights: str | None = None,
        method: str | None = None,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
        frames: Frames = "centres",
        motion: Motion = None,
    ):
        _check_choices(decides_by, device, frames)
        self._begin(model_of_backbone(backbone, weights, method), decides_by, device, frames, motion)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        method: str | None = None,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
        frames: Frames = "centres",
        motion: Motion = None,
    ) -> "FewShotClassifier":
        """Load a trained model from its folder: one of the workflow's (results/models/…), or an exported one.

        Raises:
            UserError: it is no such folder, its files do not fit one another, or an argument is none of its values.
        """
        _check_choices(decides_by, device, frames)
        return cls.of_model(load_folder(Path(folder), method), decides_by, device, frames, motion)

    @classmethod
    def of_model(
        cls,
        model: LabellingModel,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
        frames: Frames = "centres",
        motion: Motion = None,
    ) -> "FewShotClassifier":
        """Return a classifier that uses a model."""
        _check_choices(decides_by, device, frames)
        classifier = cls.__new__(cls)
        classifier._begin(model, decides_by, device, frames, motion)
        return classifier

    def _begin(
        self, model: LabellingModel, decides_by: DecidesBy | None, device: str, frames: Frames, motion: Motion
    ) -> None:
        check_motion(motion, model.settings.head, model.settings.method)
        self.model = model.to(one_device(device, model.settings.float32))
        sampling = model.settings.sampling.model_copy(update={"at_test": frames})
        self.model.settings = replace(model.settings, sampling=sampling)
        self._wanted, self._motion = decides_by, motion
        self._own_share = float(getattr(model.settings.head, "motion_share", 0.0))
        self.motion_share = self._own_share if motion in (None, "auto") else float(motion)
        self._default: DecidesBy = decides_by or METHODS[model.settings.method].decides_by
        self.decides_by = self._default
        self._support_set: SupportSet | None = None
        self.threshold = Threshold(NOTHING)
        self.unreadable: list[Prediction] = []

    def describe(self) -> str:
        """Say which model and weights these are, and what they know."""
        about = self.model.settings
        lines = [f"{METHODS[about.method].title} ({about.method}), deciding by {self.decides_by}: {about.knows}."]
        if about.backbone.model == SMALL_CLIP:
            lines.append(
                "Its CLIP is the demo's and has seen drawn shapes only: what it says of real clips means nothing."
            )
        if self.threshold.nearness > NOTHING:
            lines.append(
                f"A clip that is not near enough to any class is labelled {UNKNOWN}. {self.threshold.describe()}"
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
        clips: dict[str, list[Clip]]
        if isinstance(examples, Sequence) and not isinstance(examples, str | Path):  # the names alone
            clips, self.decides_by = {one_spelling(name): [] for name in examples}, "text"
        else:
            clips, self.decides_by = list_examples(examples), self._default
        support, self.unreadable = make_support_set(self.model, clips, joint=self.decides_by != "few-shot")
        self._use(support)
        if self._motion == "auto":
            self.motion_share = told_by(self.labelled_examples, self._own_share)
            self._use(support)
        self._calibrate()
        return self

    def save_support(self, path: str | Path) -> None:
        """Write the support set, with what made it, as one safetensors file."""
        settings = self.model.settings
        provenance = {
            "model": self.model.fingerprint(),
            "method": settings.method,
            "decides_by": self.decides_by,
            "motion_share": self.motion_share,
            "settings": settings.record(),
            "fsar": fsar.__version__,
        }
        replace(self.support_set, provenance=provenance).save(path)

    def load_support(self, path: str | Path) -> "FewShotClassifier":
        """Take a saved support set: neither the examples nor the text encoder are needed again.

        It decides as it was made to, unless the classifier was told how to decide.

        Raises:
            UserError: it cannot be read, is damaged, was made with another model, or lacks what is needed to decide.
        """
        support = SupportSet.read(path)
        made_by = support.provenance
        if made_by.get("model") != self.model.fingerprint():
            knows = (made_by.get("settings") or {}).get("knows", "unknown")
            raise UserError(
                f"The support set {path} was made with another model ({knows}), or looks at other frames of a clip; "
                "load that model, or make the support set again from the examples"
            )
        self.decides_by = self._wanted or made_by["decides_by"]
        if not len(support.labels):
            self.decides_by = "text"
        if self.decides_by != "few-shot" and not (support.text.shape[1] and self._has_joint(support)):
            raise UserError(
                f"The support set {path} was made to decide by {made_by['decides_by']}, without what deciding by "
                f"{self.decides_by} needs; make it again, deciding by {self.decides_by}"
            )
        made_with = made_by.get("motion_share", self._own_share)
        self.motion_share = made_with if self._motion in (None, "auto") else float(self._motion)
        self._use(support)
        if (self.decides_by, self.motion_share) != (made_by["decides_by"], made_with):
            self._calibrate()
        return self

    def _has_joint(self, support: SupportSet) -> bool:
        by_frames = self.model.settings.components.needs == "frames"  # which are compared with texts as they are
        return by_frames or not len(support.labels) or JOINT in support.stored

    def _use(self, support: SupportSet) -> None:
        """Make ready what clips are compared with; a threshold was of what there was before."""
        self._support_set, self.threshold = support, Threshold(NOTHING)
        device = self.model.device
        stored = {name: each.to(device) for name, each in support.stored.items()}
        labels = support.labels.to(device)
        head = self.model.tested_head().eval()
        if self.motion_share != getattr(head.settings, "motion_share", 0.0):
            set_share(head, self.motion_share)
        self.decision = Decision(head, self.decides_by, support.text.to(device), support.text_scale, self.model.subject)
        given = len(labels) > 0
        self.labelled_examples = LabelledExamples(self.decision, stored, support.labels.numpy()) if given else None
        members = self.labelled_examples.members if self.labelled_examples else []
        self._ready = self.decision.support(stored, members)
        self._singly = SupportClips(self.decision, stored, labels) if given else None

    def _calibrate(self) -> None:
        """Fit the temperature, for the way that now decides."""
        temperature = self.labelled_examples.temperature() if self.labelled_examples else None
        self._support_set = replace(self.support_set, temperature=temperature)

    @property
    def support_set(self) -> SupportSet:
        """The examples; raises UserError before there are any."""
        if self._support_set is None:
            raise UserError("There are no examples yet: call support() first")
        return self._support_set

    def examples_needed(self) -> LabelledExamples:
        """Return the examples that can be left out; raises UserError where there are names alone."""
        assert self.support_set
        if self.labelled_examples is None:
            raise UserError("Names alone cannot be checked: give examples whose class is known")
        return self.labelled_examples

    @property
    def class_names(self) -> list[str]:
        """The classes to choose from."""
        return self.support_set.class_names

    @property
    def temperature(self) -> float | None:
        """What logits are divided by so that their softmax are probabilities; None where too few examples tell it."""
        return self.support_set.temperature

    @property
    def called(self) -> Literal["probability", "score"]:
        """What the numbers of classes are (`SupportSet.called`)."""
        return self.support_set.called

    @property
    def class_columns(self) -> list[str]:
        """The columns of the table of `predict` that have a number of each class."""
        return class_columns(self.support_set)

    def encode(self, clips: Tensor) -> Tensors:
        """Return what is kept of clips, as queries: (V, T, H, W, 3) RGB bytes → (V, …) each."""
        return self.model.encode(clips, joint=self.decides_by != "few-shot")

    def decide(self, stored: Tensors) -> tuple[Tensors, Tensor, Tensor]:
        """Decide which classes clips show.

        Args:
            stored: what the model keeps of clips, (Q, …) each.

        Returns:
            what is compared of them, (Q, …) each; (Q, N) logits; and (Q, N), how near each class is.
        """
        queries = self.decision.queries(stored)
        few_shot = None if self.decides_by == "text" else self.decision.few_shot(self._ready, queries)
        logits = self.decision.combine(few_shot, queries)
        check_finite(logits, f"{self.model.subject}, labelling clips,")
        return queries, logits, self.decision.nearness(few_shot, queries)

    def scores(self, logits: Tensor) -> Tensor:
        """Return the score of each class, (Q, N) → (Q, N): its probability where there is a temperature."""
        return (self.decision.scaled(logits) / (self.temperature or 1.0)).softmax(dim=-1)

    def predictions(self, clips: Iterable[Clip], strips: bool = True) -> Iterator[Prediction]:
        """Yield what is said of each clip, one after the other: memory does not grow with their number.

        Args:
            clips: which clips.
            strips: whether the frames that were looked at are wanted, too.

        Raises:
            UserError: what the model gives is NaN or infinite.
        """
        names = self.class_names
        for clip in clips:
            try:
                frames = self.model.read(clip)
            except VideoError as error:
                yield Prediction(clip, reason=str(error))
                continue
            queries, logits, nearness = self.decide(self.encode(frames.unsqueeze(0)))
            scores = self.scores(logits)[0].cpu().numpy()
            best = int(scores.argmax())
            known = float(nearness[0, best]) >= self.threshold.nearness
            yield Prediction(
                clip,
                label=names[best] if known else UNKNOWN,
                scores=scores,
                logits=logits[0].cpu().numpy(),
                nearest=self._singly.nearest(queries) if self._singly else None,
                strip=strip_of(frames.numpy()) if strips else b"",
            )

    def predict(self, clips: NamedClips) -> pd.DataFrame:
        """Label clips.

        Args:
            clips: files, folders, or a CSV with the column path.

        Returns:
            A row per clip, in their order: path, label, its probability, the margin over the second class, the example
            it is nearest to, the reason if it cannot be read, and the probability of each class as `p(class)`. Where
            there are too few examples to calibrate probabilities, they are `score` and `score(class)` instead.
        """
        listed = list_clips(clips)
        found = progress(self.predictions(listed, strips=False), "clips", "clip", total=len(listed))
        return table([row(prediction, self.support_set) for prediction in found], self.support_set)


def _check_choices(decides_by: str | None, device: str, frames: str) -> None:
    """Check arguments that are words; raises UserError."""
    for name, value, choices in (
        ("decides_by", decides_by, (None, *get_args(DecidesBy))),
        ("device", device, DEVICES),
        ("frames", frames, get_args(Frames)),
    ):
        if value not in choices:
            raise UserError(f"{name} is {value!r}; it can be {', '.join(str(one) for one in choices if one)}")
