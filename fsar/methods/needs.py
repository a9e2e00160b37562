"""What a head asks a backbone for, of each frame of a video, and what it is given to be built.

Shapes: videos V, frames T, joint space D, width before the projection W, patches P, tokens 1 + P with the class token
first, chosen layers n.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fsar.methods.settings import Kind

Tensors = dict[str, Tensor]


class Needs(NamedTuple):
    """What a head asks for; `Backbone.give` returns it by these names.

    Attributes:
        kind: `frames` (V, T, D), `unprojected` (V, T, W) or `maps` (V, T, D, h, w); or `tokens` (V, T, n, 1 + P, W),
            with the `frames` beside them.
        layers: of tokens, numbers in rising order: 0 is before the first block, l after the l-th.
        projected: every token goes through the last norm and into the joint space, (V, T, n, 1 + P, D).
    """

    kind: Kind = "frames"
    layers: tuple[int, ...] = ()
    projected: bool = False


class Given:
    """What the backbone gives of videos, where that is stored; no dict, whose numbers Fabric rounds to 16 bits in mixed
    precision.

    Attributes:
        tensors: (V, …) each, by the names of `Backbone.give`.
    """

    def __init__(self, tensors: Tensors):
        self.tensors = tensors

    def to(self, device: torch.device, non_blocking: bool = False) -> "Given":
        """Return it on a device."""
        return Given({name: each.to(device, non_blocking=non_blocking) for name, each in self.tensors.items()})

    def pin_memory(self) -> "Given":
        """Return it in memory that a GPU copies from while it computes."""
        return Given({name: each.pin_memory() for name, each in self.tensors.items()})


@dataclass(frozen=True)
class TransformerSizes:
    """What modules beside or inside of a visual transformer are sized by.

    Attributes:
        depth: its blocks.
        width: W.
        heads: attention heads of a block.
        patches: P.
    """

    depth: int
    width: int
    heads: int
    patches: int


@dataclass(frozen=True)
class Inputs:
    """What a head is given, which its layers are sized by.

    Attributes:
        width: D, of frame features or of maps, whichever the head asks for; of frame features where it asks for tokens.
        frames: T.
        classes: C, for classifiers over the training classes; 0 where the head is only to be used.
        transformer: sizes of the visual transformer, if the backbone is one.
    """

    width: int
    frames: int
    classes: int = 0
    transformer: TransformerSizes | None = None
