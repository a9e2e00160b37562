"""The whole model: a backbone's frame features and the head of a method, and the losses of a training episode."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fsar.config.declare import Section
from fsar.errors import UserError
from fsar.files import atomic
from fsar.model.backbone import Backbone
from fsar.model.heads.head import Inputs, Tensors, TrainingEpisode, build_head
from fsar.model.methods import Components


class Outcome(NamedTuple):
    """What one training episode gives; scalars.

    Attributes:
        total: the weighted sum of the losses.
        losses: each without its weight, by its name (`Head.loss_names`).
        accuracy: share of queries whose highest logit is their class.
    """

    total: Tensor
    losses: dict[str, Tensor]
    accuracy: Tensor


class FewShotModel(nn.Module):
    """A backbone and the head of a method.

    Args:
        backbone: its text encoder is never trained.
        components: what the model is made of.
        settings: the head's section of the config.
        frames: T.
        classes: C, where the model is to be trained.
    """

    training_text: Tensor

    def __init__(
        self, backbone: Backbone, components: Components, settings: Section, frames: int = 8, classes: int = 0
    ):
        super().__init__()
        self.backbone, self.components = backbone, components
        width = backbone.map_width() if components.needs_maps else backbone.width
        self.inputs = Inputs(width, frames, classes, components)
        self.head = build_head(self.inputs, settings)
        self.register_buffer("training_text", torch.empty(0, backbone.width), persistent=False)

    def set_training_text(self, text: Tensor) -> None:
        """Take the text features of all training classes, (C, D), which `forward` compares with.

        They have no columns, (C, 0), for components that look at no text.
        """
        # A buffer and not an argument: in mixed precision Fabric would round arguments to 16 bits.
        self.training_text = text

    def forward(
        self, videos: Tensor, classes: Tensor, shot: int, loss_weights: Mapping[str, float], apart: bool = True
    ) -> Outcome:
        """Return what one training episode gives.

        Args:
            videos: (N·K + Q, T, H, W, 3) RGB bytes, the support of each class first, then the queries of each class.
            classes: (N,) numbers of the episode's classes among all training classes.
            shot: K.
            loss_weights: of losses by name, in place of the head's own weights.
            apart: BatchNorm sees support and queries apart, as published, or the whole episode at once.
        """
        way = len(classes)
        features = self._encode(videos, way * shot, apart)
        with torch.autocast(features.device.type, enabled=False):  # distances need more digits than bf16 has
            pixels = None
            if self.head.needs_pixels:
                pixels = self.backbone.normalise(videos).unflatten(0, videos.shape[:2])  # (V, T, 3, H, W)
            stored = self.head.store(features)
            episode = TrainingEpisode(way, shot, stored, classes, self.training_text, pixels)
            logits, losses = self.head.losses(episode)
            weights = {**self.head.loss_weights(), **loss_weights}
            total = torch.stack([weights[name] * losses[name] for name in self.head.loss_names]).sum()
        accuracy = (logits.detach().argmax(dim=1) == episode.labels).float().mean()
        return Outcome(total, losses, accuracy)

    def _encode(self, videos: Tensor, support: int, apart: bool) -> Tensor:
        """Encode the frames of an episode, whose first `support` videos are the support: (V, T, D), or maps.

        Where BatchNorm normalises by what it sees, support and queries are two calls, in this order: so each has
        statistics of its own, and both update the running ones. Any other backbone encodes all of them in one call.
        """
        encode = partial(self.backbone, gives=self.head.needs)
        if apart and batch_norms(self.backbone):
            return torch.cat([encode(part) for part in (videos[:support], videos[support:])])
        return encode(videos)

    @torch.no_grad()
    def encode(self, videos: Tensor) -> Tensors:
        """Return what is kept of videos for tests, by name: (V, T, H, W, 3) RGB bytes → (V, …) float32 each."""
        features = self.backbone(videos, gives=self.head.needs)
        with torch.autocast(features.device.type, enabled=False):
            return self.head.store(features)

    def trained_state(self) -> dict[str, Tensor]:
        """Return what training changes: the head and, if it is trained, the visual encoder; never the text encoder."""
        parts = self._trained()
        return {f"{part}.{name}": value for part, module in parts for name, value in module.state_dict().items()}

    def tested_state(self) -> dict[str, Tensor]:
        """Return what tests need of the trained state: not what only the losses look at."""
        return {name: v for name, v in self.trained_state().items() if not name.startswith("head.for_training.")}

    def _trained(self) -> Iterator[tuple[str, nn.Module]]:
        if self.components.trains == "encoder":
            yield "visual", self.backbone.visual
        yield "head", self.head

    def load_trained_state(self, state: dict[str, Tensor]) -> None:
        """Load what `trained_state` returned.

        Raises:
            UserError: the state is of another architecture or method.
        """
        try:
            for part, module in self._trained():
                own = {n.removeprefix(f"{part}."): v for n, v in state.items() if n.startswith(f"{part}.")}
                module.load_state_dict(own)
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
