"""Each frame with the one at the same place of the other video (Bertrand et al., CVPRW 2023)."""

from torch import Tensor

from fsar.methods.blocks.metric import TableMetric


class Matching(TableMetric):
    """Meanᵢ Sᵢᵢ of cosines S."""

    by_place = True
    averages = True

    def alike(self, similarities: Tensor) -> Tensor:
        """Return the mean of the diagonal: (…, T, S) → (…)."""
        return similarities.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
