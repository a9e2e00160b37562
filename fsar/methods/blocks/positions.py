"""The encoding of frame positions that HyRSM, HyRSM++ and MoLo start with, as their public code computes it."""

import torch
from torch import Tensor, nn

from fsar.config.heads import RelationConfig


class Positions(nn.Module):
    """x ← x·√(D/A) + B·PE, then dropout.

    PE(p, i) is sin(p / 10000^(2i/D)) for even channels i and cos of the same for odd ones. The exponent has the channel
    itself, where the usual encoding has half of it; so the sine and the cosine of two neighbours differ in frequency.

    Args:
        settings: A, B and the dropout.
    """

    def __init__(self, settings: RelationConfig):
        super().__init__()
        self.divisor, self.scale = settings.feature_divisor, settings.position_scale
        self.dropout = nn.Dropout(settings.position_dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scale tokens and add their positions: (V, T, D) → (V, T, D)."""
        count, width = tokens.shape[-2:]
        positions = self.scale * encoding(count, width).to(tokens)
        encoded: Tensor = self.dropout(tokens * (width / self.divisor) ** 0.5 + positions)
        return encoded


def encoding(count: int, width: int) -> Tensor:
    """Return PE of positions 0…T−1: (T, D)."""
    channels = torch.arange(width, dtype=torch.float64)
    angles = torch.arange(count).unsqueeze(1) / 10000 ** (2 * channels / width)  # (T, D)
    return torch.where(channels % 2 == 0, angles.sin(), angles.cos())
