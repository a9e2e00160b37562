"""The classifier: examples of each class in, labels of new clips out. Nothing is trained."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self, get_args

import torch
from torch import Tensor

import fsar
from fsar.class_names import one_spelling
from fsar.errors import UserError
from fsar.evaluation.episode_logits import DecidesBy
from fsar.fabric import one_device
from fsar.methods import METHODS
from fsar.methods.needs import Tensors
from fsar.model.finite import check_finite
from fsar.pages.strips import strip_of
from fsar.predict.clips import Clip, Examples, list_examples
from fsar.predict.decide import JOINT, Decision
from fsar.predict.examples import make_support_set
from fsar.predict.leave_out import LabelledExamples
from fsar.predict.model import LabellingModel
from fsar.predict.motion import set_share, told_by
from fsar.predict.motion_share import Motion, check_motion
from fsar.predict.nearest import SupportClips
from fsar.predict.prediction import UNKNOWN, Prediction
from fsar.predict.read_ahead import batches, read_ahead
from fsar.predict.support import SupportSet
from fsar.predict.table import class_columns
from fsar.predict.threshold import NOTHING, Threshold

# The demo's own CLIP.
SMALL_CLIP = "small-clip"
DEVICES = ("auto", "cpu", "cuda")

# Which frames of a clip are looked at: the middle one of each segment, or one drawn by the clip's id, as in the tests.
Frames = Literal["centres", "drawn"]


class Classifier:
    """A model with examples: what labels clips, looks for actions in long videos and is checked.

    Attributes:
        model: the model that encodes clips.
        decides_by: `few-shot`, `text` or `both`.
        motion_share: share of what moves in the cosine of two frames.
        unreadable: the examples that could not be read, with the reasons.
        threshold: clips with a smaller nearness are labelled `unknown`. There is no threshold until you set it to what
            `fsar.predict.own_threshold.estimate_threshold` returns.
    """

    def __init__(
        self,
        model: LabellingModel,
        decides_by: DecidesBy | None = None,
        device: str = "auto",
        frames: Frames = "centres",
        motion: Motion = None,
    ):
        _check_choices(decides_by, device, frames)
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
        """Return a sentence: which model and weights these are, and what they were trained on.

        Examples:
            >>> print(classifier.describe()[:40])
            CLIP-Freeze (clip-freeze), deciding by f
        """
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

    def support(self, examples: Examples | Sequence[str]) -> Self:
        """Give the examples of each class, or class names alone.

        Args:
            examples: a dictionary with the clips of each class by its name; a folder with a sub-folder per class; a CSV
                with the columns path and class; or a list of class names, which then decide alone.

        Examples that cannot be read are left out, and listed with the reasons in `unreadable`.

        Raises:
            UserError: the examples cannot be used, or no example of a class can be read.

        Examples:
            >>> doors = FewShotClassifier("efficientnet-lite0", device="cpu")
            >>> doors.support({"a door": ["long.mp4"], "a hand": ["new.mp4"]}).class_names
            ['a door', 'a hand']
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

    def save(self, path: str | Path) -> None:
        """Write the features of the examples, with the settings that made them, into one safetensors file.

        Examples:
            >>> classifier.save("support.safetensors")
            >>> FewShotClassifier("support.safetensors", device="cpu").predict("new.mp4")["label"].item()
            'waving'
        """
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

    def load_support(self, path: str | Path) -> Self:
        """Read examples that `save` wrote. Neither the clips nor the text encoder are needed again.

        The classifier then decides as it did when it was saved, unless `decides_by` was given.

        Raises:
            UserError: the file cannot be read, is damaged, was made with another model, or lacks what deciding needs.

        Examples:
            >>> classifier.save("support.safetensors")
            >>> classifier.load_support("support.safetensors").class_names
            ['closing a door', 'opening a door', 'waving']
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
        """The examples. Raises UserError if there are none yet."""
        if self._support_set is None:
            raise UserError("There are no examples yet: call support() first")
        return self._support_set

    def examples_needed(self) -> LabelledExamples:
        """Return the examples that can be left out. Raises UserError if there are class names alone."""
        assert self.support_set
        if self.labelled_examples is None:
            raise UserError("Names alone cannot be checked: give examples whose class is known")
        return self.labelled_examples

    @property
    def class_names(self) -> list[str]:
        """The names of the classes."""
        return self.support_set.class_names

    @property
    def temperature(self) -> float | None:
        """What logits are divided by, so that the softmax gives probabilities; None if there are too few examples."""
        return self.support_set.temperature

    @property
    def called(self) -> Literal["probability", "score"]:
        """What the numbers of the classes are: `probability`, or `score` if there is no temperature."""
        return self.support_set.called

    @property
    def class_columns(self) -> list[str]:
        """The columns of the table of `predict` that have the number of each class."""
        return class_columns(self.support_set)

    def encode(self, clips: Tensor) -> Tensors:
        """Return the stored features of clips, as queries: (V, T, H, W, 3) RGB bytes → (V, …) each."""
        return self._encode(clips, together=False)

    def _encode(self, clips: Tensor, together: bool) -> Tensors:
        return self.model.encode(clips, joint=self.decides_by != "few-shot", together=together)

    def decide(self, stored: Tensors) -> tuple[Tensors, Tensor, Tensor]:
        """Decide which classes clips show.

        Args:
            stored: what `encode` returned for the clips, (Q, …) each.

        Returns:
            The features that are compared, (Q, …) each; logits, (Q, N); and the nearness of each class, (Q, N).
        """
        queries = self.decision.queries(stored)
        few_shot = None if self.decides_by == "text" else self.decision.few_shot(self._ready, queries)
        logits = self.decision.combine(few_shot, queries)
        check_finite(logits, f"{self.model.subject}, labelling clips,")
        return queries, logits, self.decision.nearness(few_shot, queries)

    def scores(self, logits: Tensor) -> Tensor:
        """Return the score of each class, (Q, N) → (Q, N): its probability if there is a temperature."""
        return (self.decision.scaled(logits) / (self.temperature or 1.0)).softmax(dim=-1)

    def predictions(
        self, clips: Iterable[Clip], strips: bool = True, batch_size: int | None = None, workers: int | None = None
    ) -> Iterator[Prediction]:
        """Yield the prediction of each clip, one after the other. Memory does not grow with their number.

        Args:
            clips: the clips.
            strips: whether to keep the frames that were looked at, as a picture.
            batch_size: number of clips that the model encodes together. Scores then equal those of one by one to 1e-5;
                with 1 they are equal to the last bit. By default 8 on a GPU, and 1 otherwise.
            workers: threads that decode the next clips meanwhile. By default up to 8 on a GPU, and none otherwise.

        Raises:
            UserError: the model gives NaN or infinite numbers.
        """
        gpu = self.model.device.type != "cpu"
        size = batch_size or (8 if gpu else 1)
        threads = workers if workers is not None else min(8, os.cpu_count() or 1) if gpu else 0
        for batch in batches(read_ahead(self.model, clips, threads), size):
            looked_at = [frames for _, frames in batch if isinstance(frames, Tensor)]
            stored = self._encode(torch.stack(looked_at), together=size > 1) if looked_at else {}
            number = 0
            for clip, frames in batch:
                if not isinstance(frames, Tensor):
                    yield Prediction(clip, str(frames))
                    continue
                yield self._said(
                    clip, frames, {name: each[number : number + 1] for name, each in stored.items()}, strips
                )
                number += 1

    def _said(self, clip: Clip, frames: Tensor, stored: Tensors, strips: bool) -> Prediction:
        """Return what is said of a clip: its frames, (T, H, W, 3) RGB bytes, and what is kept of it, (1, …) each."""
        queries, logits, nearness = self.decide(stored)
        scores = self.scores(logits)[0].cpu().numpy()
        best = int(scores.argmax())
        known = float(nearness[0, best]) >= self.threshold.nearness
        return Prediction(
            clip,
            label=self.class_names[best] if known else UNKNOWN,
            scores=scores,
            logits=logits[0].cpu().numpy(),
            nearest=self._singly.nearest(queries) if self._singly else None,
            strip=strip_of(frames.numpy()) if strips else b"",
        )


def _check_choices(decides_by: str | None, device: str, frames: str) -> None:
    """Check arguments that are words; raises UserError."""
    for name, value, choices in (
        ("decides_by", decides_by, (None, *get_args(DecidesBy))),
        ("device", device, DEVICES),
        ("frames", frames, get_args(Frames)),
    ):
        if value not in choices:
            raise UserError(f"{name} is {value!r}; it can be {', '.join(str(one) for one in choices if one)}")
