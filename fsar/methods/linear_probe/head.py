"""Logistic regression on the support of each episode (Tian et al., ECCV 2020).

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D.
"""

import torch
from torch import Tensor

from fsar.methods.blocks.whole_video import WholeVideos
from fsar.methods.linear_probe.logistic import fit
from fsar.methods.linear_probe.record import LinearProbeConfig
from fsar.methods.needs import Tensors


class LinearProbe(WholeVideos):
    """The logits of a classifier that is fitted to the N·K support videos, as vectors of length one."""

    settings: LinearProbeConfig
    averages_shots = False
    classes_apart = False

    def support_together(self, support: Tensors, text: Tensor) -> Tensors:
        """Return the classifier: weights (B, N, D) and bias (B, N)."""
        way, shot = support["videos"].shape[1:3]
        videos = support["videos"].flatten(1, 2)  # (B, N·K, D)
        labels = torch.arange(way, device=videos.device).repeat_interleave(shot)
        coefficients, bias = fit(videos @ videos.mT, labels, self.settings.inverse_penalty)
        return {"weights": coefficients.to(videos).mT @ videos, "bias": bias.to(videos)}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the classifier's logits, (B, Q, N)."""
        return {"few_shot": queries["videos"] @ support["weights"].mT + support["bias"].unsqueeze(1)}
