"""Chamfer in one direction: each frame of the query meets its nearest (Bertrand et al., CVPRW 2023)."""

from torch import Tensor

from fsar.methods.blocks import chamfer


class Matching(chamfer.Matching):
    """Meanᵢ maxⱼ S of cosines S, query frames i and class frames j."""

    def tables(self, similarities: Tensor) -> tuple[Tensor, ...]:
        """Return the table as it is."""
        return (similarities,)
