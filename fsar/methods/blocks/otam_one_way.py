"""OTAM in one direction: the query's frames are aligned to the prototype's, as Cao et al. (CVPR 2020) do."""

from torch import Tensor

from fsar.methods.blocks import otam
from fsar.methods.blocks.similarity import frame_distances


class Matching(otam.Matching):
    """OTAM(D) with D = 1 − cos; λ is the config's `smoothing`."""

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Compare every query with every class: (..., Q, T, D), (..., N, T, D) → (..., Q, N) distances."""
        return otam.otam(frame_distances(queries, prototypes), self.smoothing)
