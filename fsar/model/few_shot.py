"""The whole model: a backbone's frame features and the head of a method, and the losses of a training episode."""

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fsar.config import BackboneConfig, HeadConfig
from fsar.errors import UserError
from fsar.files import atomic
from fsar.model.backbone import Backbone, load_backbone
from fsar.model.head import Head
from fsar.model.methods import Components


class Losses(NamedTuple):
    """What one training episode costs; scalars.

    Attributes:
        total: few_shot + λ_vt · video_text.
        few_shot: cross-entropy of the queries' logits.
        video_text: cross-entropy over all training classes; 0 without that objective.
        accuracy: share of queries whose highest logit is their class.
    """

    total: Tensor
    few_shot: Tensor
    video_text: Tensor
    accuracy: Tensor


class FewShotModel(nn.Module):
    """A backbone and the head of a method.

    Args:
        backbone: its visual encoder is trained, its text encoder never is.
        components: of the method; what the head has.
        config: the head's sizes.
    """

    training_text: Tensor

    def __init__(self, backbone: Backbone, components: Components, config: HeadConfig):
        super().__init__()
        if components.temporal_transformer and backbone.width % config.heads:
            raise UserError(
                f"head.heads is {config.heads}, which does not divide the backbone's width {backbone.width}"
            )
        self.backbone = backbone
        self.head = Head(components, backbone.width, config)
        self.register_buffer("training_text", torch.empty(0, backbone.width), persistent=False)

    def set_training_text(self, text: Tensor) -> None:
        """Take the text features of all training classes, (C, D), which `forward` compares with.

        They have no columns, (C, 0), for components that look at no text.
        """
        # A buffer and not an argument: in mixed precision Fabric would round arguments to 16 bits.
        self.training_text = text

    def forward(
        self, videos: Tensor, classes: Tensor, shot: int, video_text_weight: float, apart: bool = True
    ) -> Losses:
        """Return the losses of one training episode (CLIP-FSAR, Eq. 8).

        Args:
            videos: (N·K + N·Q, T, H, W, 3) RGB bytes, the support of each class first, then the queries of each class.
            classes: (N,) numbers of the episode's classes among all training classes.
            shot: K.
            video_text_weight: λ_vt.
            apart: BatchNorm sees support and queries apart, as published, or the whole episode at once.
        """
        way, text = len(classes), self.training_text
        features = self._encode(videos, way * shot, apart)  # (V, T, D)
        with torch.autocast(features.device.type, enabled=False):  # distances need more digits than bf16 has
            support, queries = features[: way * shot], features[way * shot :]
            per_class = len(queries) // way
            logits = self.head.few_shot_logits(support.unflatten(0, (way, shot)), queries, text[classes])  # (N·Q, N)
            labels = torch.arange(way, device=features.device).repeat_interleave(per_class)
            few_shot = F.cross_entropy(logits, labels)
            video_text = torch.zeros((), device=features.device)
            if self.head.components.video_text_loss:
                targets = torch.cat([classes.repeat_interleave(shot), classes.repeat_interleave(per_class)])
                video_text = F.cross_entropy(self.head.class_logits(features, text), targets)
        accuracy = (logits.detach().argmax(dim=1) == labels).float().mean()
        return Losses(few_shot + video_text_weight * video_text, few_shot, video_text, accuracy)

    def _encode(self, videos: Tensor, support: int, apart: bool) -> Tensor:
        """Encode the frames of an episode, whose first `support` videos are the support: → (V, T, D).

        Where BatchNorm normalises by what it sees, support and queries are two calls, in this order: so each has
        statistics of its own, and both update the running ones. Any other backbone encodes all of them in one call.
        """
        if apart and batch_norms(self.backbone):
            return torch.cat([self.backbone(part) for part in (videos[:support], videos[support:])])
        return self.backbone(videos)

    def trained_state(self) -> dict[str, Tensor]:
        """Return what training changes: the visual encoder and the head, without the frozen text encoder."""
        state = {f"visual.{name}": value for name, value in self.backbone.visual.state_dict().items()}
        return state | {f"head.{name}": value for name, value in self.head.state_dict().items()}

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Load what `trained_state` returned.

        Raises:
            UserError: the state is of another architecture or method.
        """
        try:
            for part, module in (("visual.", self.backbone.visual), ("head.", self.head)):
                module.load_state_dict({n.removeprefix(part): v for n, v in state.items() if n.startswith(part)})
        except RuntimeError as error:
            first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
            raise UserError(f"These weights are of another backbone or method. First difference: {first}") from None


def batch_norms(module: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Return the BatchNorm layers that are in training mode, that is, which normalise by the batch they see."""
    return [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]


def save_weights(state: dict[str, Tensor], path: Path) -> None:
    """Write a trained state as safetensors."""
    with atomic(path) as temporary:
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, temporary)


def load_weights(model: FewShotModel, path: Path) -> None:
    """Load a file of `save_weights`; raises UserError if it does not fit or cannot be read."""
    try:
        state = load_file(path)
    except Exception as error:
        raise UserError(f"The trained weights {path} cannot be read: {error}") from error
    try:
        model.load_trained_state(state)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def load_model(
    backbone: BackboneConfig, components: Components, config: HeadConfig, trained: Path | None
) -> FewShotModel:
    """Load a model: the pretrained backbone, and the trained weights if there are any.

    Raises:
        UserError: see `load_backbone`; or the trained weights are of another backbone or method.
    """
    model = FewShotModel(load_backbone(backbone), components, config)
    if trained is not None:
        load_weights(model, trained)
    return model
