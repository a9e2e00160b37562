"""The two frames that are most alike (Bertrand et al., CVPRW 2023)."""

from torch import Tensor

from fsar.methods.blocks.metric import TableMetric


class Matching(TableMetric):
    """Maxᵢⱼ S of cosines S."""

    averages = True

    def alike(self, similarities: Tensor) -> Tensor:
        """Return the largest entry: (…, T, S) → (…)."""
        return similarities.amax(dim=(-1, -2))
