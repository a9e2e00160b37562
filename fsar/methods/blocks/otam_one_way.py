"""OTAM in one direction: the query's frames are aligned to the prototype's, as Cao et al. (CVPR 2020) do."""

from torch import Tensor

from fsar.methods.blocks.metric import Metric
from fsar.methods.blocks.otam import otam
from fsar.methods.blocks.similarity import frame_distances


class Matching(Metric):
    """OTAM(D) with D = 1 − cos; λ is the head's `smoothing`."""

    def distances(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distance of every query from every prototype: (…, Q, T, D), (…, N, T, D) → (…, Q, N)."""
        return otam(frame_distances(queries, prototypes), self.smoothing)
