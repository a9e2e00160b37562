"""Encodings of the positions of frames, each as the public codes of its methods compute it."""

import math

import torch
from torch import Tensor, nn

from fsar.methods.blocks.record import RelationConfig

SCALE = 0.1  # of the sinusoidal encoding


def sinusoidal(frames: int, width: int) -> Tensor:
    """Return 0.1·PE of positions 0…T−1, (T, D), sine and cosine of an angle side by side: TRX, STRM, TEAM."""
    place = torch.arange(frames).unsqueeze(1)  # (T, 1)
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))  # (D / 2,)
    return SCALE * torch.stack([torch.sin(place * rate), torch.cos(place * rate)], dim=-1).flatten(1)[:, :width]


def encoding(frames: int, width: int) -> Tensor:
    """Return PE of positions 0…T−1, (T, D), as HyRSM, HyRSM++ and MoLo have it.

    PE(p, i) is sin(p / 10000^(2i/D)) for even channels i and cos of the same for odd ones. The exponent has the channel
    itself, where the usual encoding has half of it; so the sine and the cosine of two neighbours differ in frequency.
    """
    channels = torch.arange(width, dtype=torch.float64)
    angles = torch.arange(frames).unsqueeze(1) / 10000 ** (2 * channels / width)  # (T, D)
    return torch.where(channels % 2 == 0, angles.sin(), angles.cos())


class Positions(nn.Module):
    """x ← x·√(D/A) + B·PE with the PE of `encoding`, then dropout.

    Args:
        settings: A, B and the dropout.
    """

    def __init__(self, settings: RelationConfig):
        super().__init__()
        self.divisor, self.scale = settings.feature_divisor, settings.position_scale
        self.dropout = nn.Dropout(settings.position_dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scale tokens and add their positions: (V, T, D) → (V, T, D)."""
        frames, width = tokens.shape[-2:]
        positions = self.scale * encoding(frames, width).to(tokens)
        return self.dropout(tokens * (width / self.divisor) ** 0.5 + positions)
