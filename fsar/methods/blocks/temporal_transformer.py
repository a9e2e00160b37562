"""The temporal transformer that modulates prototypes with text (CLIP-FSAR, Sec. 3.3)."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.methods.blocks.attention import Attention


class TemporalAttention(Attention):
    """x ← Attention(LN(x)) + x over the tokens of each video.

    Args:
        width, heads, head_width: as of `Attention`.
        dropout: after the attention's output projection.
    """

    def __init__(self, width: int, heads: int, dropout: float, head_width: int | None = None):
        super().__init__(width, heads, head_width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.attention_dropout = nn.Dropout(dropout)

    def attend(self, asking: Tensor, seen: Tensor) -> Tensor:
        """Return what normed tokens find in others: (V, outputs, D), (V, tokens, D) → (V, outputs, D)."""
        return self.attention_dropout(super().attend(asking, seen))

    def forward(self, x: Tensor, outputs: int) -> Tensor:
        """Map (V, tokens, D) to (V, outputs, D): the first tokens, which all tokens are seen by."""
        normed = self.norm(x)
        return self.attend(normed[:, :outputs], normed) + x[:, :outputs]


class TemporalLayer(TemporalAttention):
    """One layer: attention, then x ← FeedForward(x) + x, without a norm before the feed-forward part.

    Args:
        width: D, the width of the frame features; a multiple of `heads` without a `head_width`.
        heads: attention heads.
        feed_forward: hidden width of the feed-forward part.
        attention_dropout: dropout after the attention's output projection.
        feed_forward_dropout: dropout after each of the two feed-forward projections.
        head_width: of each attention head; D / heads without it.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        attention_dropout: float,
        feed_forward_dropout: float,
        head_width: int | None = None,
    ):
        super().__init__(width, heads, attention_dropout, head_width)
        self.expand = nn.Linear(width, feed_forward)
        self.contract = nn.Linear(feed_forward, width)
        self.feed_forward_dropout = nn.Dropout(feed_forward_dropout)

    def forward(self, x: Tensor, outputs: int) -> Tensor:
        """Map (V, tokens, D) to (V, outputs, D): the first tokens, which all tokens are seen by."""
        return self.feed(super().forward(x, outputs))

    def feed(self, x: Tensor) -> Tensor:
        """Take tokens, (..., D), through the feed-forward part: x ← FeedForward(x) + x."""
        hidden = self.feed_forward_dropout(F.gelu(self.expand(x)))
        return self.feed_forward_dropout(self.contract(hidden)) + x


class TemporalTransformer(nn.Module):
    """A stack of `TemporalLayer`s shared by support and query, without positional encoding or class token."""

    def __init__(self, layers: Iterable[TemporalLayer]):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, frames: Tensor, text: Tensor | None = None) -> Tensor:
        """Let the frames of each video see one another, and the text of the video's class if there is one.

        Args:
            frames: (V, T, D) frame features.
            text: (V, D), one text feature per video, or None (queries, whose class is unknown).

        Returns:
            (V, T, D) modulated frame features; the text token's own output is dropped.
        """
        tokens = frames if text is None else torch.cat([frames, text.unsqueeze(1)], dim=1)  # (V, T or T+1, D)
        *earlier, last = self.layers
        for layer in earlier:
            tokens = layer(tokens, outputs=tokens.shape[1])
        return last(tokens, outputs=frames.shape[1])
