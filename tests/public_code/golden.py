"""A file of tensors that a method's public code computed, and what our code computed from the same inputs."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fsar.methods.head import Head, TrainingEpisode
from fsar.model.few_shot import FewShotModel, Outcome


@dataclass
class Golden:
    """One file: `tensors` by the names it has, and what `meta` says of the public code."""

    tensors: dict[str, Tensor]
    meta: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Golden":
        with np.load(path) as arrays:
            tensors = {name: torch.from_numpy(arrays[name].copy()) for name in arrays if name != "meta"}
            return cls(tensors, json.loads(str(arrays["meta"])))

    def number(self, name: str) -> int:
        return int(self.tensors[name])

    def value(self, name: str, default: float | None = None) -> float:
        return float(self.tensors[name]) if default is None or name in self.tensors else default

    def named(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors with a prefix, without it."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}

    @property
    def evaluating(self) -> bool:
        """Whether the public code was in evaluation mode: then the file has outputs, and no losses or gradients."""
        return self.meta.get("mode") == "eval"

    def decided(self, head: Head, episode: TrainingEpisode) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits, (Q, N), and the losses of an episode, (); in evaluation each loss is 0."""
        head.train(not self.evaluating)
        if not self.evaluating:
            return head.losses(episode)
        return head.decide(head.episode_stage(*head.staged(episode)))[0], no_losses()

    def outcome(self, model: FewShotModel, *arguments: Any) -> Outcome:
        """Return what a training episode gives; in evaluation nothing, and the model is in evaluation mode."""
        model.train(not self.evaluating)
        return Outcome(torch.zeros(()), no_losses(), torch.zeros(())) if self.evaluating else model(*arguments)

    def backward(self, total: Tensor) -> None:
        """Compute the gradients of a total loss, but in evaluation."""
        if not self.evaluating:
            total.backward()

    def texts(self, name: str) -> Tensor:
        """Return the texts of classes, (C, …): of all training classes, or in evaluation of the episode's alone.

        A file of evaluation has these already, or those of all classes of its split.
        """
        texts = self.tensors[name]
        if f"grad_{name}" in self.tensors:
            texts.requires_grad_()
        return texts[self._numbers()] if self.evaluating and len(texts) > self.number("way") else texts

    def videos(self) -> Tensor:
        """Return the support videos class by class, then the queries class by class: (V, T, …), to take gradients of.

        The public codes take a flat list of frames, (V·T, …), and videos in any order with the label of each.
        """
        parts = []
        for kind, labels in (("support", "in_support_labels"), ("target", "in_target_labels")):
            frames = self.tensors[f"in_{kind}_set"].requires_grad_()
            videos = frames.unflatten(0, (-1, self.number("frames")))
            parts.append(videos[self.tensors[labels].argsort(stable=True)])
        return torch.cat(parts)

    def in_our_order(self) -> Tensor:
        """Return the place of each query of `videos` in the file's order, (Q,)."""
        return self.tensors["in_target_labels"].argsort(stable=True)

    def in_file_order(self, ours: Tensor) -> Tensor:
        """Return what is ours of each query of `videos`, (Q, …), in the file's order."""
        return ours[self.in_our_order().argsort()]

    def to_file_order(self, ours: Tensor) -> Tensor:
        """Return what we have of the videos of `videos`, (V, …), in the file's order: support, then queries."""
        support = self.tensors["in_support_labels"].argsort(stable=True)
        order = torch.cat([support, len(support) + self.in_our_order()])
        return ours[order.argsort()]

    def training_classes(self) -> Tensor:
        """Return the numbers of the episode's classes among the training classes, (N,).

        In evaluation there are the texts of no others (`texts`).
        """
        return torch.arange(self.number("way")) if self.evaluating else self._numbers()

    def _numbers(self) -> Tensor:
        labels, numbers = self.tensors["in_support_labels"], self.tensors["in_real_support_labels"]
        return torch.stack([numbers[labels == label][0] for label in labels.unique()]).long()


@dataclass
class Computed:
    """What our code computed, by the names of the file: outputs and losses, gradients, statistics after the step.

    `module` has all that was trained; None where nothing was. `rounding` is what may remain of a gradient that is zero
    in exact arithmetic, as a share of the largest of all.
    """

    outputs: dict[str, Tensor]
    module: nn.Module | None
    gradients: dict[str, Tensor | None]
    buffers: dict[str, Tensor] = field(default_factory=dict)
    rounding: float = 1e-7


def no_losses() -> dict[str, Tensor]:
    return defaultdict(lambda: torch.zeros(()))


def without_dropout(module: nn.Module) -> nn.Module:
    """Switch all dropout off, in training mode, as the files were computed."""
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module.train()


def load(module: nn.Module, golden: Golden, ours: Callable[[str], str], skip: Iterable[str] = ()) -> None:
    """Load the file's weights and statistics, under our names; every one of ours must be there."""
    state = {ours(n): t for prefix in ("param_", "buffer_") for n, t in golden.named(prefix).items()
             if not n.startswith("after_") and n not in skip}  # fmt: skip
    module.load_state_dict(state)


def gradients(module: nn.Module, golden: Golden, ours: Callable[[str], str]) -> dict[str, Tensor | None]:
    """Return the gradient of each parameter and input that the file has a gradient of, by the file's names."""
    parameters = dict(module.named_parameters())
    return {
        f"grad_{name}": golden.tensors[name].grad if name in golden.tensors else parameters[ours(name)].grad
        for name in golden.named("grad_")
    }


def split_qkv(golden: Golden) -> None:
    """Split the public layers that give queries, keys and values at once, as ours are three."""
    for name in [n for n in golden.tensors if ".to_qkv." in n]:
        for ours, part in zip("qkv", golden.tensors.pop(name).chunk(3), strict=True):
            golden.tensors[name.replace("to_qkv", f"to_{ours}")] = part
