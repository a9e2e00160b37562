"""HyRSM++ (Wang et al., Pattern Recognition 2024): HyRSM with a loss that keeps frames in the order of time."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.methods.hyrsm.head import Hyrsm, Related
from fsar.methods.hyrsmpp.record import HyrsmppConfig
from fsar.methods.needs import Tensors


def coherence_loss(cosines: Tensor, settings: HyrsmppConfig) -> Tensor:
    """Return how far sequences are from coherence in time, a scalar, as the public code computes it.

    With G = |i−j| and D = 1 − cos of a sequence's frames i and j: near frames (G ≤ w) cost D / (G² + 1); far ones cost
    β·max(0, M − D) with M = 1 − exp(−(G−w)² / τ). Averaged over all pairs of all sequences.

    Args:
        cosines: (..., T, T) of every two frames of each sequence.
        settings: w, τ and β.
    """
    place = torch.arange(cosines.shape[-1], device=cosines.device)
    gap = (place - place.unsqueeze(1)).abs().to(cosines.dtype)  # (T, T)
    distances = 1 - cosines
    near = distances / (gap.square() + 1)
    asked = 1 - torch.exp(-(gap - settings.window).square() / settings.falloff)
    far = settings.far_weight * F.relu(asked - distances)
    return torch.where(gap <= settings.window, near, far).mean()


class Hyrsmpp(Hyrsm):
    """HyRSM with the temporal coherence loss."""

    settings: HyrsmppConfig

    def related_losses(self, related: Related) -> Tensors:
        """Return the coherence of all items as each query has them, plus that of the queries."""
        items = coherence_loss(related.cosines_of_items(), self.settings)
        queries = coherence_loss(related.cosines_of_queries(), self.settings)
        return {"coherence": items + queries}

    def loss_weights(self) -> dict[str, float]:
        """Return HyRSM's weights and that of coherence."""
        return super().loss_weights() | {"coherence": self.settings.coherence_weight}
