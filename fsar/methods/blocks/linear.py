"""A trained weight for each pair of places (Bertrand et al., CVPRW 2023)."""

from torch import Tensor, nn

from fsar.methods.blocks.metric import TableMetric
from fsar.methods.needs import Inputs


class Matching(TableMetric):
    """Σᵢⱼ wᵢⱼ Sᵢⱼ of cosines S, of T × T. Weights start as those of a linear layer do in PyTorch."""

    by_place = True

    def __init__(self, inputs: Inputs, smoothing: float):
        super().__init__(inputs, smoothing)
        self.weigh = nn.Linear(inputs.frames**2, 1, bias=False)

    def alike(self, similarities: Tensor) -> Tensor:
        """Return the weighted sum: (…, T, T) → (…)."""
        total: Tensor = self.weigh(similarities.flatten(-2)).squeeze(-1)
        return total
