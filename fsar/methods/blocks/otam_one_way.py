"""OTAM in one direction: the query's frames are aligned to the prototype's, as Cao et al. (CVPR 2020) do."""

from torch import Tensor

from fsar.methods.blocks.metric import TableMetric
from fsar.methods.blocks.otam import otam


class Matching(TableMetric):
    """OTAM(D) with D = 1 − cos; λ is the head's `smoothing`."""

    by_place = True

    def alike(self, similarities: Tensor) -> Tensor:
        """Return minus the cost of the alignment: (…, T, S) → (…)."""
        return -otam(1 - similarities, self.smoothing)
