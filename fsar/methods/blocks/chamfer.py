"""Chamfer: each frame meets its nearest, in both directions (Bertrand et al., Chamfer++, CVPRW 2023).

Of videos of equally many frames it orders classes as Bi-MHM does: the one is 1 − the other / 2T.
"""

from torch import Tensor

from fsar.methods.blocks.metric import TableMetric


class Matching(TableMetric):
    """½ meanᵢ maxⱼ S + ½ meanⱼ maxᵢ S of cosines S, query frames i and class frames j."""

    averages = True

    def tables(self, similarities: Tensor) -> tuple[Tensor, ...]:
        """Return the table, and its transpose."""
        return similarities, similarities.transpose(-1, -2)

    def alike(self, similarities: Tensor) -> Tensor:
        """Return the mean over rows of their largest entry: (…, T, S) → (…)."""
        return similarities.amax(dim=-1).mean(dim=-1)
