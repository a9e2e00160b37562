"""The whole model: a backbone's frame features and the head of a method, and the losses of a training episode."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fsar.config import TextConfig
from fsar.methods import Components
from fsar.methods.adapters import insert_adapters
from fsar.methods.head import Head, TrainingEpisode, build_head
from fsar.methods.needs import Given, Inputs, Needs, Tensors
from fsar.methods.settings import AdapterSettings, HeadSettings
from fsar.model.backbone import Backbone
from fsar.model.in_episode import InEpisode, tokens_before
from fsar.model.text import ClassTokens, encode_class_tokens, looks_of
from fsar.model.trained_file import fill, read_trained


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
        backbone: what is trained of it is what requires gradients.
        components: what the model is made of.
        settings: the head's section of the config.
        adapters: the section of the adapters that the components name.
        frames: T.
        classes: C, where the model is to be trained.
    """

    training_text: Tensor

    def __init__(
        self,
        backbone: Backbone,
        components: Components,
        settings: HeadSettings,
        frames: int = 8,
        classes: int = 0,
        adapters: AdapterSettings | None = None,
    ):
        super().__init__()
        self.backbone, self.components = backbone, components
        if adapters is not None:
            insert_adapters(components.adapters, backbone, frames, adapters)
        needs = Needs(components.needs)
        steps = backbone.steps(frames, needs)
        self.inputs = Inputs(backbone.width_of(needs), steps, classes, backbone.transformer_sizes)
        self.head = build_head(components, self.inputs, settings)
        self.register_buffer("training_text", torch.empty(0, backbone.width), persistent=False)
        self.training_tokens: tuple[ClassTokens, TextConfig] | None = None

    def set_training_tokens(self, texts: ClassTokens, config: TextConfig) -> None:
        """Take the tokens of all training classes' texts, for a text encoder that is trained."""
        self.training_tokens = texts, config

    def set_training_text(self, text: Tensor) -> None:
        """Take the text features of all training classes, (C, D), which `forward` compares with.

        They have no columns, (C, 0), for components that look at no text.
        """
        # A buffer and not an argument: in mixed precision Fabric would round arguments to 16 bits.
        self.training_text = text

    def forward(
        self, videos: Tensor | Given, classes: Tensor, shot: int, apart: bool = True, unknown: int = 0
    ) -> Outcome:
        """Return what one training episode gives.

        Args:
            videos: (N·K + Q + U, T, H, W, 3) RGB bytes, the support of each class first, then the queries of each
                class, then the unknown ones; or what the backbone gives of them.
            classes: (N,) numbers of the episode's classes among all training classes.
            shot: K.
            apart: BatchNorm sees support and queries apart, as published, or the whole episode at once.
            unknown: U.
        """
        way = len(classes)
        features = videos.tensors if isinstance(videos, Given) else self._encode(videos, way * shot, apart)
        text = self._text(classes)
        with torch.autocast(classes.device.type, enabled=False):  # distances need more digits than bf16 has
            pixels = None
            known = len(next(iter(features.values()))) - unknown
            if self.components.needs_pixels:
                assert isinstance(videos, Tensor)
                pixels = self.backbone.normalise(videos[:known]).unflatten(0, (known, -1))  # (V, T, 3, H, W)
            stored = self.head.store(features)
            others = {name: each[known:] for name, each in stored.items()} if unknown else None
            stored = {name: each[:known] for name, each in stored.items()} if unknown else stored
            episode = TrainingEpisode(way, shot, stored, classes, text, pixels, others)
            logits, losses = self.head.losses(episode)
            weights = self.head.loss_weights_at(shot)
            total = torch.stack([weights[name] * losses[name] for name in self.head.loss_names]).sum()
        accuracy = (logits.detach().argmax(dim=1) == episode.labels).float().mean()
        return Outcome(total, losses, accuracy)

    def _encode(self, videos: Tensor, support: int, apart: bool) -> Tensors:
        """Encode the frames of an episode, whose first `support` videos are the support: what the head asks for.

        Where BatchNorm normalises by what it sees, or videos look at one another, support and queries are two calls, in
        this order: so each has statistics of its own, and both update the running ones. Any other backbone encodes all
        of them in one call.
        """
        encode = partial(self.backbone.give, needs=self.head.needs)
        if self.components.across_videos or (apart and batch_norms(self.backbone)):
            given = [encode(part) for part in (videos[:support], videos[support:])]
            return {name: torch.cat([part[name] for part in given]) for name in given[0]}
        return encode(videos)

    def _text(self, classes: Tensor) -> Tensor:
        """Return the text features of the training classes as `TrainingEpisode` has them.

        Args:
            classes: (N,) those of the episode.
        """
        if self.training_tokens is None:
            return self.training_text
        texts, config = self.training_tokens
        looks = looks_of(self.components)
        if self.head.looks_at_all_texts:
            return encode_class_tokens(self.backbone, texts, config, looks)
        own = encode_class_tokens(self.backbone, texts.of_classes(classes.tolist()), config, looks)
        everywhere = own.new_full((len(texts.counts), *own.shape[1:]), torch.nan)
        return everywhere.index_copy(0, classes, own)

    @torch.no_grad()
    def encode(self, videos: Tensor) -> Tensors:
        """Return what is kept of videos for tests, by name: (V, T, H, W, 3) RGB bytes → (V, …) float32 each."""
        if self.components.across_videos:
            assert self.backbone.adapters is not None
            return tokens_before(self.backbone, self.backbone.adapters, videos)
        features = self.backbone.give(videos, self.head.needs)
        with torch.autocast(videos.device.type, enabled=False):
            return self.head.store(features)

    def tested_head(self, arithmetic: Callable[[], AbstractContextManager[object]] = nullcontext) -> Head:
        """Return what tests take stored videos through: the head, and the last blocks where they belong to episodes.

        Args:
            arithmetic: what these blocks run in, as a context; the head always takes 32 bits.
        """
        return InEpisode(self.backbone, self.head, arithmetic) if self.components.across_videos else self.head

    def trained_state(self) -> dict[str, Tensor]:
        """Return what training changes: the head; of the backbone its visual encoder, its text encoder, or adapters."""
        states = [(part, module.state_dict()) for part, module in self._trained()]
        if self.components.trains_text:
            states.append(("text", self.backbone.text_state()))
        return {f"{part}.{name}": value for part, state in states for name, value in state.items()}

    def tested_state(self) -> dict[str, Tensor]:
        """Return what tests need of the trained state: not what only the losses look at."""
        return {name: v for name, v in self.trained_state().items() if not name.startswith("head.for_training.")}

    def _trained(self) -> Iterator[tuple[str, nn.Module]]:
        yield from trained_modules(self.backbone, self.components)
        yield "head", self.head

    def load_trained_state(self, state: dict[str, Tensor], origin: str | Path = "This state") -> None:
        """Load what `trained_state` returned; raises UserError if it is of another architecture or method."""
        for part, module in self._trained():
            fill(module.load_state_dict, state, part, origin)
        if self.components.trains_text:
            fill(self.backbone.load_text_state, state, "text", origin)


def trained_modules(backbone: Backbone, components: Components) -> Iterator[tuple[str, nn.Module]]:
    """Yield what of a backbone a model trains, by the names of its parts, but for the text encoder."""
    if components.trains == "encoder":
        yield "visual", backbone.visual
    if backbone.adapters is not None:
        yield "adapters", backbone.adapters


def load_backbone_parts(backbone: Backbone, components: Components, path: Path) -> None:
    """Load what a trained model has of its backbone: visual encoder, text encoder or adapters, but not its head.

    Raises:
        UserError: the file cannot be read, or is of another backbone.
    """
    modules = dict(trained_modules(backbone, components))
    state = read_trained(path, components, [*modules, *(["text"] if components.trains_text else [])])
    for part, module in modules.items():
        fill(module.load_state_dict, state, part, path)
    if components.trains_text:
        fill(backbone.load_text_state, state, "text", path)
    backbone.origins.append(str(path))


def batch_norms(module: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Return the BatchNorm layers that are in training mode, that is, which normalise by the batch they see."""
    return [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]


def load_weights(model: FewShotModel, path: Path) -> None:
    """Load a file of `save_weights`; raises UserError if it does not fit, cannot be read or is not finite."""
    model.load_trained_state(read_trained(path, model.components), path)
    model.backbone.origins.append(str(path))
