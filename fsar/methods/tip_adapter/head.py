"""Class names and a cache of the support (Zhang et al., ECCV 2022): 100·cos(q, t) + α·Σ exp(−β(1 − cos(q, s))).

Shapes: episodes B, way N, shot K, support videos S = N·K, queries Q, videos V, frames T, feature width D.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.methods.blocks.whole_video import WholeVideos
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.tip_adapter.record import TipAdapterConfig

SCALE = 100.0  # of CLIP's cosines, as trained
# AdamW, as in the public code; PyTorch's defaults but for ε.
BETAS, EPSILON, DECAY = (0.9, 0.999), 1e-4, 0.01


class TipAdapter(WholeVideos):
    """The votes of support videos beside the similarity with class names."""

    settings: TipAdapterConfig
    averages_shots = False

    def __init__(self, inputs: Inputs, settings: TipAdapterConfig):
        super().__init__(inputs, settings)
        self.classes_apart = not settings.steps
        if settings.steps:
            self.episodes_at_once = 50  # the cache and both of its running means stay in the processor's cache

    def support_together(self, support: Tensors, text: Tensor) -> Tensors:
        """Return the cache, (B, N, K, D), fitted to the support if there are steps."""
        videos = support["videos"]
        return {"cache": self._fitted(videos, F.normalize(text, dim=-1)) if self.settings.steps else videos}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the logits, (B, Q, N)."""
        shot = support["cache"].shape[2]
        by_names = SCALE * queries["videos"] @ F.normalize(text, dim=-1).mT
        votes = self._votes(queries["videos"], support["cache"].flatten(1, 2))
        return {"few_shot": by_names + self.settings.residual * votes.unflatten(-1, (-1, shot)).sum(dim=-1)}

    def _votes(self, videos: Tensor, cache: Tensor) -> Tensor:
        """Return how much each support video votes for its class: (B, Q, D), (B, S, D) → (B, Q, S)."""
        return (self.settings.sharpness * (videos @ cache.mT - 1)).exp()

    def _fitted(self, support: Tensor, text: Tensor) -> Tensor:
        """Fit the cache to the support: (B, N, K, D), (B, N, D) → (B, N, K, D).

        The loss is the cross-entropy of the support's own logits; its gradient is written out, since tests run without
        automatic differentiation. The learning rate falls along a cosine to nought.
        """
        way, shot = support.shape[1:3]
        videos = support.flatten(1, 2)  # (B, S, D)
        by_names = SCALE * videos @ text.mT  # (B, S, N)
        own_class = torch.eye(way, device=videos.device).repeat_interleave(shot, dim=0)  # (S, N)
        cache, first, second = videos.clone(), torch.zeros_like(videos), torch.zeros_like(videos)
        for step in range(self.settings.steps):
            votes = self._votes(videos, cache)  # (B, S, S)
            logits = by_names + self.settings.residual * votes @ own_class
            slope = (logits.softmax(dim=-1) - own_class) / len(own_class)  # (B, S, N), of the mean cross-entropy
            by_vote = self.settings.residual * self.settings.sharpness * votes * (slope @ own_class.T)
            gradient = by_vote.mT @ videos  # (B, S, D)
            rate = self.settings.learning_rate * (1 + math.cos(math.pi * step / self.settings.steps)) / 2
            first.lerp_(gradient, 1 - BETAS[0])
            second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            size = (second / (1 - BETAS[1] ** (step + 1))).sqrt_().add_(EPSILON)
            cache.mul_(1 - rate * DECAY).addcdiv_(first, size, value=-rate / (1 - BETAS[0] ** (step + 1)))
        return cache.unflatten(1, (way, shot))
