"""TS-FSAR's ladder side network (AAAI 2026): a small transformer beside a frozen one, fed by each of its layers.

Shapes: videos V, frames T, tokens L = 1 + P with the class token first, width of the transformer beside it W, side
width d, its blocks n.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.methods.blocks.attention import Attention
from fsar.methods.needs import TransformerSizes

HIDDEN = 4  # times d, of the feed-forward part, as in CLIP


class SideBlock(nn.Module):
    """A block of a transformer, norms first.

    Args:
        width: d.
        heads: attention heads.
        temporal: attention is over the frames at each place of a token, and not over the tokens of each frame.
    """

    def __init__(self, width: int, heads: int, temporal: bool):
        super().__init__()
        self.temporal = temporal
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, HIDDEN * width)
        self.contract = nn.Linear(HIDDEN * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (V, T, L, d) to the same."""
        normed = self.norm_1(tokens)
        sequences = normed.transpose(1, 2) if self.temporal else normed
        flat = sequences.flatten(0, 1)
        found = self.attention.attend(flat, flat).unflatten(0, sequences.shape[:2])
        tokens = tokens + (found.transpose(1, 2) if self.temporal else found)
        found = self.contract(F.gelu(self.expand(self.norm_2(tokens))))
        return tokens + found


class SideNetwork(nn.Module):
    """A block beside each block of a transformer; between them, gates let in the tokens of the layer beside.

    Args:
        beside: the transformer.
        width, heads: d, and attention heads of each block.
        temporal_layers: the blocks, from 0, whose attention is over the frames.
        gate_temperature: what gates are divided by before their sigmoid.
    """

    def __init__(
        self, beside: TransformerSizes, width: int, heads: int, temporal_layers: list[int], gate_temperature: float
    ):
        super().__init__()
        self.gate_temperature = gate_temperature
        layers = range(beside.depth + 1)
        self.norms = nn.ModuleList(nn.LayerNorm(beside.width) for _ in layers)
        self.reduce = nn.ModuleList(nn.Linear(beside.width, width, bias=False) for _ in layers)
        self.blocks = nn.ModuleList(
            SideBlock(width, heads, number in temporal_layers) for number in range(beside.depth)
        )
        self.gates = nn.Parameter(torch.zeros(beside.depth))

    def let_in(self, tokens: Tensor, layer: int) -> Tensor:
        """Return what comes in from a layer, (V, T, n + 1, L, W) tokens of all layers → (V, T, L, d)."""
        return self.reduce[layer](self.norms[layer](tokens[:, :, layer]))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the side network's last tokens, (V, T, n + 1, L, W) tokens of all layers beside → (V, T, L, d)."""
        own = self.let_in(tokens, 0)
        for number, block in enumerate(self.blocks):
            gate = torch.sigmoid(self.gates[number] / self.gate_temperature)
            own = gate * block(own) + (1 - gate) * self.let_in(tokens, number + 1)
        return own
