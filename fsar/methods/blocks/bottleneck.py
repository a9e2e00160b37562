"""The smallest adapter: a narrow hidden layer, beside a layer that is frozen."""

import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """W₂ GELU(W₁ x + b₁) + b₂, without x itself.

    Args:
        width: W, of what it is given and returns.
        hidden: width in between.
        silent: it returns zeros at the start, since W₂ and b₂ are zero.
    """

    def __init__(self, width: int, hidden: int, silent: bool = True):
        super().__init__()
        self.contract = nn.Linear(width, hidden)
        self.expand = nn.Linear(hidden, width)
        if silent:
            nn.init.zeros_(self.expand.weight)
            nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (…, W) of (…, W)."""
        return self.expand(F.gelu(self.contract(x)))
