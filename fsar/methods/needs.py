"""What a head asks a backbone for, of each frame of a video.

Shapes: videos V, frames T, joint space D, width before the projection W, patches P, tokens 1 + P with the class token
first, chosen layers n.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fsar.methods.record import Kind

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
