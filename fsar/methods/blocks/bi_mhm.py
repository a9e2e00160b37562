"""Bi-MHM, the bidirectional mean Hausdorff metric (Wang et al., HyRSM, CVPR 2022): each frame meets its nearest."""

from torch import Tensor

from fsar.methods.blocks.metric import Metric
from fsar.methods.blocks.similarity import frame_distances


def bi_mhm(distances: Tensor) -> Tensor:
    """Return Σᵢ minⱼ D + Σⱼ minᵢ D of frame distances: (..., T, S) → (...)."""
    return distances.amin(dim=-1).sum(dim=-1) + distances.amin(dim=-2).sum(dim=-1)


class Matching(Metric):
    """Σᵢ minⱼ D + Σⱼ minᵢ D with D = 1 − cos.

    The paper (Eq. 7) divides both sums by T; its public code does not, and neither does this: the logits of training
    then have the range of OTAM's, which sums over frames too.
    """

    def distances(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distance of every query from every prototype: (…, Q, T, D), (…, N, T, D) → (…, Q, N)."""
        return bi_mhm(frame_distances(queries, prototypes))
