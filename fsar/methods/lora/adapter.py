"""LoRA, low-rank adaptation (Hu et al., ICLR 2022, arXiv 2106.09685), of the attention of a visual transformer.

To the weight of a projection, (W, W), is added α/r · B A, with A (r, W) and B (W, r). Frames do not see one another.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from fsar.methods.adapters import Adapters
from fsar.methods.backbone import Backbone
from fsar.methods.lora.record import LoraConfig

PLACES = {"queries": 0, "keys": 1, "values": 2}  # in the weight that makes all three


class LowRank(nn.Module):
    """What is added to the projections of one block; 0 at the start, since B is.

    Args:
        weight: (3·W, W), of queries, keys and values.
        settings: rank, α, and which of the three.
    """

    def __init__(self, weight: Tensor, settings: LoraConfig):
        super().__init__()
        self.places = [PLACES[name] for name in settings.projections]
        self.scale = settings.alpha / settings.rank
        count, (rows, columns) = len(self.places), weight.shape
        self.down = nn.Parameter(torch.empty(count, settings.rank, columns))  # A
        self.up = nn.Parameter(torch.zeros(count, rows // 3, settings.rank))  # B
        for each in self.down:
            nn.init.kaiming_uniform_(each, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the adapted weight, (3·W, W)."""
        parts = list(weight.chunk(3))
        for place, change in zip(self.places, self.up @ self.down, strict=True):
            parts[place] = parts[place] + self.scale * change
        return torch.cat(parts)


class LoraAdapters(Adapters):
    """One in each block."""

    settings: LoraConfig

    def __init__(self, backbone: Backbone, frames: int, settings: LoraConfig):
        super().__init__(backbone, frames, settings)
        self.inserted = nn.ModuleList()
        for block in backbone.transformer.blocks:
            module, name = block.projections
            adapter = LowRank(getattr(module, name), settings)
            self.inserted.append(adapter)
            weight = AdaptedWeight(adapter, name)
            module.register_forward_pre_hook(weight.before)
            module.register_forward_hook(weight.after, always_call=True)


class AdaptedWeight:
    """Puts the adapted weight in the place of a module's own while the module computes.

    An attribute of an instance is found before its parameters, which so stay as they are, with their names.
    """

    def __init__(self, adapter: LowRank, name: str):
        self.adapter, self.name = adapter, name

    def before(self, module: nn.Module, given: Any) -> None:
        """Put it there."""
        vars(module)[self.name] = self.adapter(module.get_parameter(self.name))

    def after(self, module: nn.Module, given: Any, found: Any) -> None:
        """Take it away, whether or not the module has failed."""
        vars(module).pop(self.name, None)
