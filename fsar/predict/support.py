"""The support set: the examples as features, which is all that prediction needs of them, in one file."""

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from fsar.errors import UserError
from fsar.files import atomic
from fsar.methods.needs import Tensors
from fsar.seal import OPEN, seal, whole

# The one entry of the file's metadata: safetensors writes several in random order, and equal contents give equal bytes.
SUPPORT = "support"
STORED = "stored."  # begins the names of what is kept of clips
# What is written beside the tensors.
ABOUT = ("class_names", "video_ids", "paths", "text_scale", "temperature", "provenance")
DECIDE = ("few-shot", "text", "both")
REMEDY = "Make it again from the examples (fsar predict --save, or FewShotClassifier.save)"


@dataclass(frozen=True)
class SupportSet:
    """Examples of N classes, V clips in all.

    Attributes:
        class_names: the classes.
        video_ids, paths: of the clips, as they were given.
        labels: (V,) number of each clip's class; V may be 0 where the class names decide.
        stored: what the model keeps of each clip, (V, …) each; nothing where V is 0.
        text: (N, D) or (N, S, D) text features of the class names; (N, 0) where no text is looked at.
        text_scale: CLIP's own scale of similarities with texts.
        strips: the frames of each clip side by side, as JPEG, for the page.
        temperature: what logits are divided by to be calibrated; None where there are too few examples.
        provenance: what made it: the model's fingerprint and settings, how it decides, the version of this package.
    """

    class_names: list[str]
    video_ids: list[str]
    paths: list[str]
    labels: Tensor
    stored: Tensors
    text: Tensor
    text_scale: float
    strips: list[bytes]
    temperature: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def shots(self) -> list[int]:
        """The number of examples of each class."""
        return torch.bincount(self.labels, minlength=len(self.class_names)).tolist()

    @property
    def called(self) -> Literal["probability", "score"]:
        """What the numbers of classes are: a score is no probability, though scores add up to one, too."""
        return "score" if self.temperature is None else "probability"

    def with_more(self, more: "SupportSet", words: bool = False) -> "SupportSet":
        """Return the support set with the examples of another one, of the same classes or of further ones.

        Args:
            more: of the same model.
            words: texts are words, (N, L, D) with L as the longest text needs, and zero after the end of a text.

        Raises:
            UserError: a further class has another number of texts.
        """
        new = [number for number, name in enumerate(more.class_names) if name not in self.class_names]
        names = [*self.class_names, *(more.class_names[number] for number in new)]
        labels = [names.index(more.class_names[label]) for label in more.labels.tolist()]
        return replace(
            self,
            class_names=names,
            video_ids=self.video_ids + more.video_ids,
            paths=self.paths + more.paths,
            labels=torch.cat([self.labels, torch.tensor(labels, dtype=torch.int64)]),
            stored={name: torch.cat([own, more.stored[name]]) for name, own in self.stored.items()},
            text=_texts_joined(self.text, more.text[new], words),
            strips=self.strips + more.strips,
        )

    def save(self, path: str | Path) -> None:
        """Write the support set as one safetensors file, with a seal (`fsar.seal`)."""
        ends = np.cumsum([len(strip) for strip in self.strips], dtype=np.int64)
        tensors = {
            "labels": self.labels,
            "text": self.text,
            "strips": torch.frombuffer(bytearray(b"".join(self.strips) or b"\0"), dtype=torch.uint8),
            "strip_ends": torch.from_numpy(ends),
            **{f"{STORED}{name}": each for name, each in self.stored.items()},
        }
        tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
        about = {name: getattr(self, name) for name in ABOUT}
        written = json.dumps(about | {"seal": OPEN}, sort_keys=True, ensure_ascii=False)
        with atomic(path) as temporary:
            save_file(tensors, temporary, metadata={SUPPORT: written})
            seal(temporary)

    @classmethod
    def read(cls, path: str | Path) -> "SupportSet":
        """Read a file of `save`.

        Raises:
            UserError: it is none, or is damaged.
        """
        with whole(path, REMEDY), safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[SUPPORT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            del about["seal"]
            ends = tensors.pop("strip_ends").tolist()
            joined = tensors.pop("strips").numpy().tobytes()
            strips = [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            stored = {name.removeprefix(STORED): tensors.pop(name) for name in [*tensors] if name.startswith(STORED)}
            support = cls(**about, **tensors, stored=stored, strips=strips)
            support._check()
            return support

    def _check(self) -> None:
        """Check what a file need not have right, though it is whole; raises ValueError."""
        names, count = self.class_names, len(self.labels)
        if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise ValueError("its classes are no different names")
        if self.labels.dtype != torch.int64 or self.labels.dim() != 1:
            raise ValueError("its labels are no numbers of classes")
        if count and (self.labels.min() < 0 or self.labels.max() >= len(names) or 0 in self.shots):
            raise ValueError("a class has no example")
        if {len(self.video_ids), len(self.paths), len(self.strips)} != {count}:
            raise ValueError("it has not one clip for each label")
        if bool(count) != bool(self.stored) or any(each.shape[:1] != (count,) for each in self.stored.values()):
            raise ValueError("it has not the features of each clip")
        if self.text.dim() not in (2, 3) or len(self.text) != len(names):
            raise ValueError("it has not a text for each class")
        if not all(torch.isfinite(each).all() for each in (self.text, *self.stored.values())):
            raise ValueError("a feature is NaN or infinite")
        numbers = (self.text_scale, 1.0 if self.temperature is None else self.temperature)
        if not all(isinstance(one, int | float) and math.isfinite(one) and one > 0 for one in numbers):
            raise ValueError("its scale or temperature is no positive number")
        if not isinstance(self.provenance, dict) or self.provenance.get("decides_by") not in DECIDE:
            raise ValueError("it does not say how it decides")
        if not isinstance(self.provenance.get("motion_share", 0.0), int | float):
            raise ValueError("it does not say how much what moves counts")


def _texts_joined(one: Tensor, other: Tensor, words: bool) -> Tensor:
    """Put the texts of classes one after another, and words filled up to the longest text."""
    if words:
        longest = max(one.shape[1], other.shape[1])
        one, other = (F.pad(own, (0, 0, 0, longest - own.shape[1])) for own in (one, other))
    if one.shape[1:] != other.shape[1:]:
        raise UserError(
            f"The classes so far have {one.shape[1]} texts each and the further one has {other.shape[1]}: describe it "
            "by as many, or give all examples to support() at once"
        )
    return torch.cat([one, other])
