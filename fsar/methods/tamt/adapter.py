"""The adapters of TAMT (Wang et al., CVPR 2025, arXiv 2411.19041): a gain and a shift for each time step.

Shapes: clips B, time steps t, places of a step P, tokens t·P in this order, token width W.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.adapters import Adapters
from fsar.methods.backbone import Backbone
from fsar.methods.tamt.record import TamtAdaptersConfig


class TemporalAdapter(nn.Module):
    """What is added beside the feed-forward part of one block, from the normed tokens that this part is given.

    Args:
        width: W.
        steps: t.
        hidden: width within.
        shift_scale: what the shift is multiplied by.
    """

    def __init__(self, width: int, steps: int, hidden: int, shift_scale: float):
        super().__init__()
        self.steps, self.shift_scale = steps, shift_scale
        self.inner = nn.Conv1d(width, hidden, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.gain = nn.Conv1d(hidden, width, 1, bias=False)
        self.shift = nn.Conv1d(hidden, width, 1, bias=False)

    def forward(self, normed: Tensor) -> Tensor:
        """Return what is added: (B, t·P, W) normed tokens → the same shape."""
        places = normed.unflatten(1, (self.steps, -1))  # (B, t, P, W)
        inner = torch.relu(self.norm(self.inner(places.mean(dim=2).transpose(1, 2))))  # (B, hidden, t)
        gain, shift = (layer(inner).transpose(1, 2).unsqueeze(2) for layer in (self.gain, self.shift))  # (B, t, 1, W)
        return (places * gain.sigmoid() + self.shift_scale * shift).flatten(1, 2)


class TamtAdapters(Adapters):
    """One in each of the last blocks of an encoder of video whose tokens are all places of a clip.

    Raises:
        UserError: the encoder has other tokens, or too few blocks.
    """

    settings: TamtAdaptersConfig

    def __init__(self, backbone: Backbone, frames: int, settings: TamtAdaptersConfig):
        super().__init__(backbone, frames, settings)
        visual: Any = backbone.visual
        blocks = list(getattr(visual, "blocks", ()))
        norm = getattr(visual, "second_norm", "")
        if not norm:
            raise UserError(
                f"TAMT's adapters are for encoders of video whose tokens are all places of a clip, such as VideoMAE, "
                f"and {backbone.name} is none"
            )
        if settings.blocks > len(blocks):
            raise UserError(
                f"adapters.tamt.blocks is {settings.blocks}, and {backbone.name} has {len(blocks)} blocks: the largest "
                f"valid value is {len(blocks)}"
            )
        self.inserted = nn.ModuleList()
        self._normed: dict[int, Tensor] = {}
        for number, block in enumerate(blocks[-settings.blocks :]):
            second = getattr(block, norm)
            width = second.normalized_shape[0]
            hidden = max(width // settings.reduction, 1)
            self.inserted.append(TemporalAdapter(width, visual.steps, hidden, settings.shift_scale))
            second.register_forward_hook(partial(self._remember, number))
            block.register_forward_hook(partial(self._add, number))

    def _remember(self, number: int, module: nn.Module, given: Any, normed: Tensor) -> None:
        self._normed[number] = normed

    def _add(self, number: int, module: nn.Module, given: Any, output: Any) -> Any:
        """Add an adapter's part to what its block returns: tokens, or tokens and what the library has beside them."""
        added = self.inserted[number](self._normed.pop(number))
        return (output[0] + added, *output[1:]) if isinstance(output, tuple) else output + added
