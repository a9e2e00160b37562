"""All frames with all frames (Bertrand et al., CVPRW 2023): the order of frames is lost, and which is like which."""

from torch import Tensor

from fsar.methods.blocks.metric import TableMetric


class Matching(TableMetric):
    """Σⱼ meanᵢ S of cosines S, query frames i and class frames j: as published, a sum over the class's frames."""

    def alike(self, similarities: Tensor) -> Tensor:
        """Return the mean over rows of their sums: (…, T, S) → (…)."""
        return similarities.sum(dim=-1).mean(dim=-1)
