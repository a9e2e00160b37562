"""The support set: the examples as features, which is all that prediction needs of them, in one file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fsar.errors import UserError
from fsar.files import atomic

# The one entry of the file's metadata: safetensors writes several in random order, and equal contents give equal bytes.
SUPPORT = "support"


@dataclass(frozen=True)
class SupportSet:
    """Examples of N classes, V clips in all.

    Attributes:
        class_names: the classes.
        video_ids, paths: of the clips, as they were given.
        labels: (V,) number of each clip's class.
        features: (V, T, D) frame features; V may be 0 where the class names decide.
        text: (N, D) text features of the class names; zeros where no text is looked at.
        text_scale: CLIP's own scale of similarities with texts.
        strips: the frames of each clip side by side, as JPEG, for the page.
        provenance: what made it: the model's fingerprint and settings, the version of this package.
    """

    class_names: list[str]
    video_ids: list[str]
    paths: list[str]
    labels: Tensor
    features: Tensor
    text: Tensor
    text_scale: float
    strips: list[bytes]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def shots(self) -> list[int]:
        """The number of examples of each class."""
        return torch.bincount(self.labels, minlength=len(self.class_names)).tolist()

    def save(self, path: str | Path) -> None:
        """Write the support set as one safetensors file."""
        ends = np.cumsum([len(strip) for strip in self.strips], dtype=np.int64)
        tensors = {
            "labels": self.labels,
            "features": self.features,
            "text": self.text,
            "strips": torch.frombuffer(bytearray(b"".join(self.strips) or b"\0"), dtype=torch.uint8),
            "strip_ends": torch.from_numpy(ends),
        }
        names = ("class_names", "video_ids", "paths", "text_scale", "provenance")
        about = json.dumps({name: getattr(self, name) for name in names}, sort_keys=True, ensure_ascii=False)
        with atomic(path) as temporary:
            cpu = {name: value.cpu().contiguous() for name, value in tensors.items()}
            save_file(cpu, temporary, metadata={SUPPORT: about})

    @classmethod
    def read(cls, path: str | Path) -> "SupportSet":
        """Read a file of `save`.

        Raises:
            UserError: it is none, or is damaged.
        """
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})[SUPPORT])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
                ends = tensors.pop("strip_ends").tolist()
                joined = tensors.pop("strips").numpy().tobytes()
            strips = [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            return cls(**about, **tensors, strips=strips)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path} cannot be read as a saved support set: {error!r}") from None
