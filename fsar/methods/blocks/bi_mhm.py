"""Bi-MHM, the bidirectional mean Hausdorff metric (Wang et al., HyRSM, CVPR 2022): each frame meets its nearest."""

from torch import Tensor

from fsar.methods.blocks.metric import TableMetric


def bi_mhm(distances: Tensor) -> Tensor:
    """Return Σᵢ minⱼ D + Σⱼ minᵢ D of frame distances: (..., T, S) → (...)."""
    return distances.amin(dim=-1).sum(dim=-1) + distances.amin(dim=-2).sum(dim=-1)


class Matching(TableMetric):
    """Σᵢ minⱼ D + Σⱼ minᵢ D with D = 1 − cos.

    The paper (Eq. 7) divides both sums by T; its public code does not, and neither does this: the logits of training
    then have the range of OTAM's, which sums over frames too.
    """

    def alike(self, similarities: Tensor) -> Tensor:
        """Return minus the distance: (…, T, S) → (…)."""
        return -bi_mhm(1 - similarities)
