"""AIM, adapting image models (Yang et al., ICLR 2023, arXiv 2302.03024): a frozen visual transformer sees time.

In each block the frozen self-attention is applied twice, along time and then along space, each followed by a small
adapter; a third adapter stands beside the feed-forward part. As in the public code, taoyang1122/adapt-image-models, an
embedding of time and the last norm are trained, too; its stochastic depth is left out.

Shapes: videos V, frames T, tokens of a frame L, token width W.
"""

from functools import partial
from typing import Any

from torch import Tensor, nn

from fsar.methods.adapters import Adapters
from fsar.methods.aim.record import AimConfig
from fsar.methods.backbone import Backbone
from fsar.methods.blocks.bottleneck import Bottleneck
from fsar.methods.blocks.ends import TrainedEnds
from fsar.methods.blocks.vision_transformer import Block


class BlockAdapters(nn.Module):
    """The three of one block."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.temporal, self.spatial, self.joint = (Bottleneck(width, hidden) for _ in range(3))


class AimAdapters(Adapters):
    """Three in each block, and trained ends."""

    settings: AimConfig

    def __init__(self, backbone: Backbone, frames: int, settings: AimConfig):
        super().__init__(backbone, frames, settings)
        transformer = backbone.transformer
        width = transformer.sizes.width
        self.inserted = nn.ModuleList()
        for block in transformer.blocks:
            adapters = BlockAdapters(width, max(int(width * settings.bottleneck), 1))
            self.inserted.append(adapters)
            block.module.forward = partial(self._through, block, adapters)  # type: ignore[method-assign]
        self.ends = TrainedEnds(transformer, frames, class_embedding=False)

    def _through(self, block: Block, adapters: BlockAdapters, tokens: Tensor, *rest: Any, **named: Any) -> Tensor:
        """Take (V·T, L, W) tokens through a block; what else a block may be given, as a mask, is none here."""
        moments = self.by_frame(block.norm_1(tokens)).transpose(1, 2)  # (V, L, T, W)
        along_time = block.attention(moments.flatten(0, 1)).unflatten(0, moments.shape[:2])
        tokens = tokens + adapters.temporal(along_time).transpose(1, 2).flatten(0, 1)
        attended = block.attention(block.norm_1(tokens))
        tokens = tokens + block.scale_1(attended + adapters.spatial(attended))
        normed = block.norm_2(tokens)
        return tokens + block.scale_2(block.mlp(normed)) + self.settings.joint_scale * adapters.joint(normed)
