"""What is learnt from unknown queries: FR-Disc, a class more, flat answers (hsp-iit/fsosar, ICPR 2026).

Shapes: queries Q, unknown queries U, classes N, tuples of a video M, width of what is compared D.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 1e-6  # added to a probability before its logarithm, as published
DROPOUT = 0.3


def eos_loss(logits: Tensor) -> Tensor:
    """Return how far the answers to unknown queries are from flat ones, (U, N) → a scalar.

    The mean over unknown queries and classes of −log(p + 1e-6) (entropic open-set loss; Dhamija et al., NeurIPS 2018).
    """
    return -(logits.softmax(dim=-1) + LEAST).log().mean()


def with_garbage(labels: Tensor, unknown: int, way: int) -> Tensor:
    """Return the labels of queries where a garbage class follows the N others, (Q,) known → (Q + U,) all."""
    return torch.cat([labels, labels.new_full((unknown,), way)])


def compared(labels: Tensor, right: Tensor) -> Tensor:
    """Return which queries FR-Disc learns from: the known ones that are right, and as many unknown ones, the first.

    Args:
        labels: (Q,) classes; −1 of unknown queries.
        right: (Q,) whether a query's class is found.
    """
    known, unknown = right & (labels >= 0), labels < 0
    return known | (unknown & (unknown.cumsum(dim=0) <= known.sum()))


def discriminator_loss(logits: Tensor, labels: Tensor, right: Tensor) -> Tensor:
    """Return the cross-entropy of known against unknown, over the queries of `compared`; 0 where none is right.

    Args:
        logits: (Q,) of being known.
        labels, right: as of `compared`.
    """
    chosen = compared(labels, right).to(logits.dtype)
    each = F.binary_cross_entropy_with_logits(logits, (labels >= 0).to(logits.dtype), reduction="none")
    return (each * chosen).sum() / chosen.sum().clamp_min(1)


class Discriminator(nn.Module):
    """FR-Disc of one vector: tells by a query's residual from the class it is taken for whether it is known.

    Args:
        width: D.
    """

    def __init__(self, width: int):
        super().__init__()
        self.layers = _linear_layers((width, 2 * width, width, 64, 1))

    def forward(self, residuals: Tensor) -> Tensor:
        """Return the logits of being known: (Q, D) → (Q,)."""
        x = residuals
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x).squeeze(-1)


class TupleDiscriminator(nn.Module):
    """FR-Disc of tuples of frames, of which each has a residual from what it finds in the class.

    Its BatchNorm sees all tuples of a call, so in training, and there alone, queries see one another.

    Args:
        width: D, of a tuple.
        tuples: M.
        dropout: after each normalisation.
    """

    def __init__(self, width: int, tuples: int, dropout: float = DROPOUT):
        super().__init__()
        widths = (width, 512, 256, 128)
        self.layers = _linear_layers(widths)
        self.norms = nn.ModuleList(nn.BatchNorm1d(own) for own in widths[1:])
        self.dropout = nn.Dropout(dropout)
        self.narrow, self.joined = nn.Linear(128, 64), nn.Linear(64 * tuples, 1)

    def forward(self, residuals: Tensor) -> Tensor:
        """Return the logits of being known: (Q, M, D) → (Q,)."""
        x = residuals.flatten(0, 1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = self.dropout(torch.relu(norm(layer(x))))
        x = torch.relu(self.narrow(x)).unflatten(0, residuals.shape[:2])
        return self.joined(x.flatten(1)).squeeze(-1)


def _linear_layers(widths: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
