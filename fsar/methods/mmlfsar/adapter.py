"""The adapters of MML-FSAR: in every block of a frozen CLIP, its own attention looks along time.

x ← x + attention(norm_1 x) in the frame; x ← x + mlp(norm_2 x + a(x)), a(x) = W₂ GELU(W₁ A(x)), where A is the same
frozen attention, of x without a norm, over the frames at each place of a token. In early blocks frames look at those of
their own segment alone.

Shapes: videos V, frames T, tokens of a frame L, token width W.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fsar.methods.adapters import Adapters
from fsar.methods.backbone import Backbone
from fsar.methods.blocks.vision_transformer import Block
from fsar.methods.mmlfsar.record import MmlfsarAdaptersConfig

# What the public code normalises pixels by, of values from 0 to 1, in place of CLIP's own numbers.
PUBLISHED_MEAN, PUBLISHED_STD = 0.45, 0.225


class MmlfsarAdapters(Adapters):
    """One in each block. They start as PyTorch's layers do, so features are not those of the backbone at the start."""

    settings: MmlfsarAdaptersConfig

    def __init__(self, backbone: Backbone, frames: int, settings: MmlfsarAdaptersConfig):
        super().__init__(backbone, frames, settings)
        blocks, width = backbone.transformer.blocks, backbone.transformer.sizes.width
        hidden = max(int(width * settings.bottleneck), 1)
        self.inserted = nn.ModuleList()
        for number, block in enumerate(blocks):
            adapter = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
            self.inserted.append(adapter)
            segments = settings.segments[number * len(settings.segments) // len(blocks)]
            mask = f"unseen{number}"  # where the model is, so that no step copies it there
            self.register_buffer(mask, unseen(frames, segments), persistent=False)
            block.module.forward = partial(self._through, block, adapter, mask)  # type: ignore[method-assign]
        if settings.pixels == "published":
            backbone.mean.fill_(255 * PUBLISHED_MEAN)
            backbone.std.fill_(255 * PUBLISHED_STD)

    def _through(self, block: Block, adapter: nn.Module, mask: str, tokens: Tensor, *rest: Any, **named: Any) -> Tensor:
        """Take (V·T, L, W) tokens through a block; what else a block may be given, as a mask, is none here."""
        tokens = tokens + block.scale_1(block.attention(block.norm_1(tokens)))
        moments = self.by_frame(tokens).transpose(1, 2)  # (V, L, T, W)
        added = self.get_buffer(mask).to(moments)
        along_time = block.attention(moments.flatten(0, 1), attn_mask=added).unflatten(0, moments.shape[:2])
        adapted = adapter(along_time).transpose(1, 2).flatten(0, 1)
        return tokens + block.scale_2(block.mlp(block.norm_2(tokens) + adapted))


def unseen(frames: int, segments: int) -> Tensor:
    """Return what is added to attention, (T, T): 0 where both frames are of one of s segments ⌊t·s/T⌋, else −∞."""
    segment = torch.arange(frames) * segments // frames
    return torch.zeros(frames, frames).masked_fill(segment.unsqueeze(1) != segment, -torch.inf)
