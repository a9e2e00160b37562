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

    def hidden(self, videos: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Return y and W₁ y + b₁, (..., T, D) → (..., A, D) each, of y = P + and P − what the tokens P find in videos.

        What they find is a weighted sum of T frames, and so is W₁ of it: after training, where nothing is dropped, the
        layer is applied to these few and to P, and not to each y.
        """
        width = videos.shape[-1]
        frames = self.norm(self.dropout(videos + sinusoidal(videos.shape[-2], width).to(videos)))
        alike = self.norm(self.tokens) @ frames.transpose(-1, -2) / math.sqrt(width / TEMPERATURE_HEADS)
        weights = self.dropout(alike.softmax(dim=-1))  # (..., A, T)
        found = self.dropout(weights @ frames)
        both = {"positive": self.tokens + found, "negative": self.tokens - found}
        if self.training:
            return {name: (y, self.expand(y)) for name, y in both.items()}
        first, added = self.expand(self.tokens), weights @ F.linear(frames, self.expand.weight)
        return {"positive": (both["positive"], first + added), "negative": (both["negative"], first - added)}

    def patterns(self, y: Tensor, first: Tensor) -> Tensor:
        """Return relu(y + W₂ relu(W₁ y + b₁) + b₂) of y and W₁ y + b₁: (..., A, D) each → (..., A, D)."""
        return self.contract(torch.relu(first)).add_(y).relu_()


class Team(Head):
    """Minus the distances of a query's patterns from those of the class itself, and of the farthest other class."""

    classes_apart = False
    episodes_at_once = 1

    def __init__(self, inputs: Inputs, settings: TeamConfig):
        super().__init__(inputs, settings)
        width = width_beside_motion(inputs.width, settings.motion_share)
        self.pattern = PatternTokens(width, settings.tokens, settings.dropout)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the positive and negative patterns of each query, (V, A, D) of length one, and its frames."""
        frames = beside_motion(stored["frames"], self.settings.motion_share)
        hidden = self.pattern.hidden(frames)
        return {"frames": frames} | {name: self._unit_patterns(*each) for name, each in hidden.items()}

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Return the frames, what moves beside them: they are averaged over the shots before anything else.

        A prototype of one shot is a video, whose patterns need not be made again for each episode.
        """
        if self.support_like_queries(shot):
            return self.video_stage(stored)
        return {"frames": beside_motion(stored["frames"], self.settings.motion_share)}

    def support_like_queries(self, shot: int) -> bool:
        """Tell whether a support video is represented as a query is; in training other entries are dropped of each."""
        return shot == 1 and not self.training

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the scores of an episode, (B, Q, N) each."""
        hidden = self.pattern.hidden(support["frames"].squeeze(2))  # (B, N, A, D) each
        known = {name: videos.squeeze(2) for name, videos in support.items() if name != "frames"}
        positive, negative = (
            self._adapted(*hidden[name], known[name] if name in known else self._unit_patterns(*hidden[name]))
            for name in ("positive", "negative")
        )
        # Of another class, the patterns with it should be those of the query without it, and the other way round.
        others = [
            _largest_of_others(_distances(queries["negative"], positive)),
            _largest_of_others(_distances(queries["positive"], negative)),
        ]
        return {"positive": -_distances(queries["positive"], positive), "negative": -(others[0] + others[1]) / 2}

    def _unit_patterns(self, y: Tensor, first: Tensor) -> Tensor:
        return F.normalize(self.pattern.patterns(y, first), dim=-1)

    def _adapted(self, y: Tensor, first: Tensor, each: Tensor) -> Tensor:
        """Move the patterns of each class away from those of each other class, and average: → (B, N, A, D), length one.

        With e the cosine of the patterns of i and j, token by token, y_i becomes y_i − e (y_j − y_i), and so does
        W₁ y_i + b₁, since the factors sum to one: the first layer need not be computed for every pair. The second
        layer, between two ReLUs, must be. One class after the other, so that its pairs stay in the processor's cache.

        Args:
            y, first: (B, N, A, D) see `PatternTokens.hidden`.
            each: (B, N, A, D) the patterns, of length one.
        """
        if y.shape[1] == 1:  # there is no other class to move away from
            return each
        adapted = []
        for own in range(y.shape[1]):
            others = [other for other in range(y.shape[1]) if other != own]
            alike = (each[:, [own]] * each[:, others]).sum(dim=-1, keepdim=True)  # (B, N − 1, A, 1)
            moved = (torch.lerp(part[:, [own]], part[:, others], -alike) for part in (y, first))
            adapted.append(self.pattern.patterns(*moved).mean(dim=1))
        return F.normalize(torch.stack(adapted, dim=1), dim=-1)

    def score_weights(self) -> Mapping[str, float]:
        """Return the weight of both distances in the decision, and of its loss."""
        return {"positive": 1.0, "negative": self.settings.negative_weight}


def _distances(queries: Tensor, classes: Tensor) -> Tensor:
    """Return Σ_tokens (1 − cos) of patterns of length one: (B, Q, A, D), (B, N, A, D) → (B, Q, N)."""
    return queries.shape[2] - queries.flatten(2) @ classes.flatten(2).transpose(-1, -2)


def _largest_of_others(distances: Tensor) -> Tensor:
    """Return the largest distance of the other classes, 0 of a class alone: (B, Q, N) → (B, Q, N)."""
    if distances.shape[-1] == 1:
        return torch.zeros_like(distances)
    itself = torch.eye(distances.shape[-1], dtype=torch.bool, device=distances.device)
    return distances.unsqueeze(-2).masked_fill(itself, -torch.inf).amax(dim=-1)
