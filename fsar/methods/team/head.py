"""TEAM, temporal alignment-free matching by pattern tokens (Lee et al., CVPR 2025), as its public code computes it.

A few learned tokens look for patterns in a video: what they are with it (positive) and without it (negative). The
tokens of a class are moved away from those of the other classes of the episode, and compared one by one with a query's.

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D, tokens A.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.methods.blocks.motion import beside_motion, width_beside_motion
from fsar.methods.blocks.positions import sinusoidal
from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.team.record import TeamConfig

# There is one head of attention, with the temperature of eight: √(D/8).
TEMPERATURE_HEADS = 8


class PatternTokens(nn.Module):
    """The tokens, what they find in videos, and the patterns that both make together.

    Args:
        width: D.
        tokens: A.
        dropout: of frames after their positions are added, of the attention and of what it finds.
    """

    def __init__(self, width: int, tokens: int, dropout: float):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(tokens, width))
        self.norm = nn.LayerNorm(width)  # of tokens and of frames
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def attend(self, videos: Tensor) -> Tensor:
        """Return what each token finds: (..., T, D) → (..., A, D)."""
        width = videos.shape[-1]
        frames = self.norm(self.dropout(videos + sinusoidal(videos.shape[-2], width).to(videos)))
        alike = self.norm(self.tokens) @ frames.transpose(-1, -2) / math.sqrt(width / TEMPERATURE_HEADS)
        return self.dropout(self.dropout(alike.softmax(dim=-1)) @ frames)

    def hidden(self, videos: Tensor) -> Tensors:
        """Return y and W₁ y + b₁, (..., T, D) → (..., A, 2·D), of y = P + and P − what the tokens P find in videos."""
        found = self.attend(videos)
        both = {"positive": self.tokens + found, "negative": self.tokens - found}
        return {name: torch.cat([y, self.expand(y)], dim=-1) for name, y in both.items()}

    def patterns(self, hidden: Tensor) -> Tensor:
        """Return relu(y + W₂ relu(W₁ y + b₁) + b₂): (..., A, 2·D) → (..., A, D)."""
        y, first = hidden.chunk(2, dim=-1)
        return torch.relu(y + self.contract(torch.relu(first)))


class Team(Head):
    """Minus the distances of a query's patterns from those of the class itself, and of the farthest other class."""

    classes_apart = False
    episodes_at_once = 2

    def __init__(self, inputs: Inputs, settings: TeamConfig):
        super().__init__(inputs, settings)
        width = width_beside_motion(inputs.width, settings.motion_share)
        self.pattern = PatternTokens(width, settings.tokens, settings.dropout)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the positive and negative patterns of each query, (V, A, D) of length one."""
        hidden = self.pattern.hidden(beside_motion(stored["frames"], self.settings.motion_share))
        return {name: F.normalize(self.pattern.patterns(y), dim=-1) for name, y in hidden.items()}

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Return the frames, what moves beside them: they are averaged over the shots before anything else."""
        return {"frames": beside_motion(stored["frames"], self.settings.motion_share)}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the scores of an episode, (B, Q, N) each."""
        hidden = self.pattern.hidden(support["frames"].squeeze(2))  # (B, N, A, 2·D) each
        positive, negative = self._adapted(hidden["positive"]), self._adapted(hidden["negative"])
        # Of another class, the patterns with it should be those of the query without it, and the other way round.
        others = [
            _largest_of_others(_distances(queries["negative"], positive)),
            _largest_of_others(_distances(queries["positive"], negative)),
        ]
        return {"positive": -_distances(queries["positive"], positive), "negative": -(others[0] + others[1]) / 2}

    def _adapted(self, hidden: Tensor) -> Tensor:
        """Move the patterns of each class away from those of each other class, and average: → (B, N, A, D), length one.

        With e the cosine of the patterns of i and j, token by token, y_i becomes y_i − e (y_j − y_i), and so does
        W₁ y_i + b₁, since the factors sum to one: the first layer need not be computed for every pair.

        Args:
            hidden: (B, N, A, 2·D), see `PatternTokens.hidden`.
        """
        way = hidden.shape[1]
        own, other = (~torch.eye(way, dtype=torch.bool, device=hidden.device)).nonzero(as_tuple=True)  # (N·(N − 1),)
        each = F.normalize(self.pattern.patterns(hidden), dim=-1)
        alike = (each[:, own] * each[:, other]).sum(dim=-1, keepdim=True)  # (B, N·(N − 1), A, 1)
        moved = torch.lerp(hidden[:, own], hidden[:, other], -alike)
        adapted = self.pattern.patterns(moved).unflatten(1, (way, way - 1)).mean(dim=2)
        return F.normalize(adapted, dim=-1)

    def score_weights(self) -> Mapping[str, float]:
        """Return the weight of both distances in the decision, and of its loss."""
        return {"positive": 1.0, "negative": self.settings.negative_weight}


def _distances(queries: Tensor, classes: Tensor) -> Tensor:
    """Return Σ_tokens (1 − cos) of patterns of length one: (B, Q, A, D), (B, N, A, D) → (B, Q, N)."""
    return queries.shape[2] - queries.flatten(2) @ classes.flatten(2).transpose(-1, -2)


def _largest_of_others(distances: Tensor) -> Tensor:
    """Return the largest distance of the other classes: (B, Q, N) → (B, Q, N)."""
    itself = torch.eye(distances.shape[-1], dtype=torch.bool, device=distances.device)
    return distances.unsqueeze(-2).masked_fill(itself, -torch.inf).amax(dim=-1)
