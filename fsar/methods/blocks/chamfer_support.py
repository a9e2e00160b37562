"""Chamfer in the other direction: each frame of the class meets its nearest (Bertrand et al., CVPRW 2023)."""

from torch import Tensor

from fsar.methods.blocks import chamfer


class Matching(chamfer.Matching):
    """Meanⱼ maxᵢ S of cosines S, query frames i and class frames j."""

    def tables(self, similarities: Tensor) -> tuple[Tensor, ...]:
        """Return the transpose."""
        return (similarities.transpose(-1, -2),)
