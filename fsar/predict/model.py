"""The model that labels: a backbone with a head, which looks at single clips."""

import hashlib
import json
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fsar.backbone_facts import words_files
from fsar.errors import UserError
from fsar.files import sha256_of
from fsar.methods.head import Head
from fsar.methods.needs import Tensors
from fsar.model.backbone import Backbone, load_backbone
from fsar.model.class_texts import read_descriptions
from fsar.model.few_shot import FewShotModel
from fsar.model.finite import check_finite
from fsar.model.text import can_read, encode_classes, looks_of
from fsar.predict.clips import Clip
from fsar.predict.decide import JOINT
from fsar.predict.frames import read_clip
from fsar.predict.settings import ModelSettings


class LabellingModel(nn.Module):
    """A trained model that looks at single clips, or a backbone as it is.

    Args:
        settings: what decides.
        model: backbone and head, with their trained weights.
        has_text: the backbone's text encoder has its weights too; if not, they are loaded when a text is asked for.
    """

    def __init__(self, settings: ModelSettings, model: FewShotModel, has_text: bool):
        super().__init__()
        self.settings, self.model, self.has_text = settings, model, has_text

    @property
    def backbone(self) -> Backbone:
        """The backbone."""
        return self.model.backbone

    @property
    def subject(self) -> str:
        """Name the model, for messages."""
        return f"The model ({self.settings.method}, {self.backbone.name})"

    def tested_head(self) -> Head:
        """Return the head as the workflow's tests have it."""
        return self.model.tested_head()

    @property
    def frames_apart(self) -> bool:
        """Whether what is kept of a frame does not depend on the other frames of its clip."""
        backbone = self.backbone
        return self.model.head.needs.kind == "frames" and backbone.adapters is None and not backbone.looks_at_clips

    def read(self, clip: Clip) -> Tensor:
        """Return the frames of a clip that the model looks at, (T, H, W, 3) RGB bytes.

        Raises:
            VideoError: it cannot be read.
        """
        own = self.settings
        size = self.backbone.image_size
        return torch.from_numpy(read_clip(clip, own.frames, own.sampling, own.seed, size))

    @torch.inference_mode()
    def encode(self, clips: Tensor, joint: bool = False, together: bool = False) -> Tensors:
        """Return what is kept of clips: (V, T, H, W, 3) RGB bytes → (V, …) each.

        Args:
            clips: RGB bytes.
            joint: keep the frames in the joint space too, which are compared with texts.
            together: all in one call, which keeps a GPU busy. Else one clip at a time: the same clip then has the same
                features, to the last bit, whatever is looked at beside it.

        Raises:
            UserError: a feature is NaN or infinite.
        """
        parts = clips.split(len(clips) if together else 1)
        each = [self._encode(part.to(self.device), joint) for part in parts]
        stored = {name: torch.cat([one[name] for one in each]) for name in each[0]}
        for values in stored.values():
            check_finite(values, f"{self.subject}, looking at clips,")
        return stored

    def _encode(self, clip: Tensor, joint: bool) -> Tensors:
        stored = self.model.encode(clip)
        if joint and self.model.head.needs.kind != "frames":  # else they are what is kept
            stored = stored | {JOINT: self.backbone(clip)}
        return stored

    @torch.inference_mode()
    def encode_classes(self, names: Sequence[str]) -> tuple[Tensor, float]:
        """Encode class names, and CLIP's own scale of their similarities.

        Returns:
            (N, D) text features, (N, S, D) for a head that looks at each text; and the scale.

        Raises:
            UserError: there is no text encoder, its weights cannot be loaded, or a class is not described.
        """
        looks, backbone = looks_of(self.settings.components), self.backbone
        if not can_read(backbone, looks):
            raise UserError(f"The backbone {backbone.name} has no text encoder: let examples alone decide")
        if not self.has_text and backbone.has_text:
            backbone = load_backbone(self.settings.backbone, trained=True).eval().to(self.device)
        text = encode_classes(backbone, names, self.settings.text, looks)
        return text, float(backbone.encoders.logit_scale.exp()) if backbone.has_text else 1.0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.backbone.mean.device

    def fingerprint(self) -> str:
        """Return what tells this model's features from any other's: a checksum of its weights and settings."""
        digest = hashlib.sha256()
        shown = {
            key: value for key, value in self.settings.record().items() if key not in ("method", "knows", "licence")
        }
        # Where files lie does not tell models apart; what is in them does.
        shown["backbone"] = [self.backbone.image_size, self.backbone.mean.tolist(), self.backbone.std.tolist()]
        given = self.settings.backbone
        if given.features != "steps":  # a default leaves no trace, here and below
            shown["features"] = given.features
        if given.words:
            shown["words"] = [sha256_of(file) for file in words_files(given.words)] or given.words
        described = self.settings.text.descriptions
        shown["text"] |= {"descriptions": read_descriptions(described) if described else {}}
        digest.update(json.dumps(shown, sort_keys=True).encode())
        for part in (self.backbone.visual, self.backbone.adapters or nn.Identity(), self.model.head):
            for name, value in sorted(part.state_dict().items()):
                digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]
