"""The layers that EMP-Net (Wu et al., ECCV 2024) puts on the tokens of a frozen backbone."""

from typing import Protocol

import torch
from torch import Tensor, nn

from fsar.methods.blocks.temporal_transformer import TemporalAttention, TemporalLayer

# Shares of D: a head of the attention is this much narrower, and the hidden width of the feed-forward part.
HEAD_SHARE = 8
FEED_FORWARD_SHARE = 4


class LayerSettings(Protocol):
    """What layers are made by: attention heads, and dropout of both parts."""

    @property
    def heads(self) -> int: ...
    @property
    def attention_dropout(self) -> float: ...
    @property
    def feed_forward_dropout(self) -> float: ...


class ReasoningLayer(TemporalLayer):
    """Attention, then x ← FeedForward(x) + x; narrower than in CLIP-FSAR.

    Args:
        width: D.
        settings: heads and dropout.
    """

    def __init__(self, width: int, settings: LayerSettings):
        super().__init__(
            width,
            settings.heads,
            width // FEED_FORWARD_SHARE,
            settings.attention_dropout,
            settings.feed_forward_dropout,
            width // HEAD_SHARE,
        )

    def among(self, tokens: Tensor) -> Tensor:
        """Let tokens see one another: (V, tokens, D) → (V, tokens, D)."""
        return self(tokens, outputs=tokens.shape[1])  # type: ignore[no-any-return]

    def between(self, asking: Tensor, seen: Tensor) -> Tensor:
        """Let tokens see others, and not one another: (V, n, D), (V, m, D) → (V, n, D)."""
        return self.feed(self.attend(self.norm(asking), self.norm(seen)) + asking)


class PostReasoning(nn.Module):
    """Patches see those of their frame, class tokens those of their video; then a feed-forward part on both.

    Args:
        width: D.
        settings: heads and dropout.
    """

    def __init__(self, width: int, settings: LayerSettings):
        super().__init__()
        self.within_frame = TemporalAttention(width, settings.heads, settings.attention_dropout, width // HEAD_SHARE)
        self.over_time = ReasoningLayer(width, settings)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (V, T, 1 + P, D) to the same, the class token first."""
        classes, patches = tokens[:, :, 0], tokens[:, :, 1:]
        patches = self.within_frame(patches.flatten(0, 1), outputs=patches.shape[2]).view_as(patches)
        normed = self.over_time.norm(classes)
        classes = self.over_time.attend(normed, normed) + classes
        return self.over_time.feed(torch.cat([classes.unsqueeze(2), patches], dim=2))
