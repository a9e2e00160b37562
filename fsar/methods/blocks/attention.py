"""Attention with several heads, without a norm and a sum around it."""

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Tokens look at tokens.

    Args:
        width: D, of the tokens; a multiple of `heads` without a `head_width`.
        heads: attention heads.
        head_width: of each head; D / heads without it.
        bias: whether queries, keys and values have one.
    """

    def __init__(self, width: int, heads: int, head_width: int | None = None, bias: bool = True):
        super().__init__()
        self.heads = heads
        inner = heads * head_width if head_width else width
        self.query = nn.Linear(width, inner, bias=bias)
        self.key = nn.Linear(width, inner, bias=bias)
        self.value = nn.Linear(width, inner, bias=bias)
        self.output = nn.Linear(inner, width)

    def attend(self, asking: Tensor, seen: Tensor) -> Tensor:
        """Return what tokens find in others: (V, outputs, D), (V, tokens, D) → (V, outputs, D)."""
        q, k, v = (
            projection(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (V, heads, tokens, width of a head)
            for projection, tokens in ((self.query, asking), (self.key, seen), (self.value, seen))
        )
        return self.output(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2))
