"""OTAM, the ordered temporal alignment of two frame sequences (Cao et al., CVPR 2020), in both directions.

OTAM is a dynamic programme over the L × T table of frame distances, framed by one column of zeros on each side (the
alignment may begin and end anywhere). With softmin(a, b, …) = −λ log Σ exp(−a/λ), and C(l, 0) = 0 for every l:

    C(0, m)    = D(0, m) + C(0, m−1)                                               first row: cumulative sum
    C(l, 1)    = D(l, 1) + softmin(C(l−1, 0), C(l−1, 1), C(l, 0))                   first column
    C(l, m)    = D(l, m) + softmin(C(l−1, m−1), C(l, m−1))                          columns 2…T
    C(l, T+1)  = softmin(C(l−1, T), C(l−1, T+1), C(l, T))                           right border

Walked cell by cell this is L·(T+1) steps. But a cell of columns 2…T needs only the column before it, so a whole column
is one step; and the right border adds nothing between its steps, so the recursion unrolls into one softmin over column
T, in which every row counts twice except the last, which counts once. L + T steps remain, each on all pairs at once.
"""

import math

import torch
from torch import Tensor

from fsar.methods.blocks.metric import TableMetric


def otam(distances: Tensor, smoothing: float) -> Tensor:
    """Return the soft cost of the best ordered alignment of the rows to the columns.

    Args:
        distances: (..., L, T) frame distances, any real numbers.
        smoothing: λ > 0; the softmin approaches the minimum as it goes to 0. Sums of exponentials are taken in the log
            domain, so no λ overflows.

    Returns:
        (...) alignment costs.
    """
    rows, columns = distances.shape[-2:]
    # In units of −λ softmin is logaddexp. Time goes first, so that each step reads contiguous memory.
    scores = (distances / -smoothing).movedim((-2, -1), (1, 0)).contiguous()  # (T, L, ...)

    first = [scores[0, 0]]
    log_two = first[0].new_tensor(math.log(2.0))  # the cells (l−1, 0) and (l, 0), both zero
    for row in range(1, rows):
        first.append(scores[0, row] + torch.logaddexp(first[-1], log_two))
    cost = torch.stack(first)  # (L, ...): one column of C / −λ

    for column in range(1, columns):
        rest = scores[column, 1:] + torch.logaddexp(cost[:-1], cost[1:])
        cost = torch.cat([(scores[column, 0] + cost[0]).unsqueeze(0), rest])

    weights = torch.full((rows,), math.log(2.0), dtype=cost.dtype, device=cost.device)
    weights[-1] = 0.0
    return torch.logsumexp(cost + weights.view(-1, *[1] * (cost.dim() - 1)), dim=0) * -smoothing


def both_directions(distances: Tensor, smoothing: float) -> Tensor:
    """Return OTAM(D) + OTAM(Dᵀ) of (..., T, S) frame distances: (...), in one batch where T is S."""
    backwards = distances.transpose(-1, -2)
    if distances.shape != backwards.shape:
        return otam(distances, smoothing) + otam(backwards, smoothing)
    return otam(torch.stack([distances, backwards]), smoothing).sum(dim=0)


class Matching(TableMetric):
    """OTAM(D) + OTAM(Dᵀ) with D = 1 − cos (CLIP-FSAR, Eq. 5 and 6); λ is the head's `smoothing`."""

    by_place = True

    def alike(self, similarities: Tensor) -> Tensor:
        """Return minus the cost of the alignment in both directions: (…, T, S) → (…)."""
        return -both_directions(1 - similarities, self.smoothing)
