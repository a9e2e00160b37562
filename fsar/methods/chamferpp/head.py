"""Chamfer++ (Bertrand et al., CVPRW 2023): tuples of frames, projected, and any metric of their similarities.

1. A video of T frames is the M = C(T, L) ordered L-tuples of them; a frozen backbone gives the frames.
2. Each tuple goes through a linear layer and a LayerNorm, the same for support and queries.
3. S are the cosines of a query's tuples with those of support videos. *Joint*: the tuples of all support videos of a
   class are one table, (M, K·M). *Separate*: each video has its own, (M, M), and the class the mean of their scores.
4. A table becomes one number, by the metric; ViSiL's network may see the table first.

The public code's clips are windows of 16 frames each; here they are what the backbone gives: frames, or such windows.
Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D, tuples of a video M, their width W.
"""

from dataclasses import replace
from itertools import combinations
from math import comb
from typing import cast

import torch
from torch import Tensor, nn

from fsar.methods.blocks.metric import TableMetric, load_metric
from fsar.methods.blocks.motion import beside_motion, width_beside_motion
from fsar.methods.blocks.similarity import frame_similarities
from fsar.methods.blocks.tuples import pieces, tuples_of_pieces
from fsar.methods.chamferpp.record import ChamferppConfig
from fsar.methods.chamferpp.visil import Visil
from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors


class Tuples(nn.Module):
    """The projected tuples of videos.

    A linear layer of a tuple is a sum over its places, so frames are projected, and not tuples of them.

    Args:
        width, frames: D and T.
        length: L.
        projected: W.
    """

    made_of: Tensor

    def __init__(self, width: int, frames: int, length: int, projected: int):
        super().__init__()
        self.length = length
        self.layer = nn.Linear(length * width, projected)
        self.norm = nn.LayerNorm(projected)
        self.register_buffer("made_of", tuples_of_pieces(frames, length), persistent=False)

    def forward(self, videos: Tensor) -> Tensor:
        """Return the tuples of videos, (V, T, D) → (V, M, W)."""
        parts = pieces(videos, self.layer.weight, self.layer.bias, self.length)
        return cast(Tensor, self.norm(self.made_of @ parts))


class Chamferpp(Head):
    """Scores by a metric of tables of similarities, scaled."""

    averages_shots = False
    settings: ChamferppConfig

    def __init__(self, inputs: Inputs, settings: ChamferppConfig):
        super().__init__(inputs, settings)
        width = width_beside_motion(inputs.width, settings.motion_share)
        count = comb(inputs.frames, settings.tuple_length)
        if settings.projection:
            self.tuples = Tuples(width, inputs.frames, settings.tuple_length, settings.projection)
        self.visil = Visil() if settings.visil else None
        rows = count // 4 if settings.visil else count
        metric = load_metric(settings.metric, replace(inputs, frames=rows), settings.smoothing)
        assert isinstance(metric, TableMetric)
        self.metric = metric
        # A weight for each pair of places has none for those of several videos.
        by_place = metric.by_place and (settings.shots == "joint" or settings.metric == "linear")
        self.separate = settings.shots == "separate" or by_place
        self.weight = nn.Parameter(torch.full((1,), settings.weight))
        # A table of 56 × 280 tuples has 63 kB, and the tuples of 25 support videos 6 MB.
        self.episodes_at_once = 4 if settings.visil else 5

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the tuples of each video, (V, M, W)."""
        frames, settings = self.single_frames(stored), self.settings
        if settings.projection:
            return {"tuples": self.tuples(frames)}
        if settings.tuple_length == 1:
            return {"tuples": frames}
        chosen = torch.tensor(list(combinations(range(frames.shape[1]), settings.tuple_length)), device=frames.device)
        return {"tuples": frames[:, chosen].flatten(-2)}

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return frames as tuples are made of them: (V, T, D), (V, T, 2·D) with what moves."""
        return beside_motion(stored["frames"], self.settings.motion_share)

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the score of an episode, (B, Q, N)."""
        shots = support["tuples"]  # (B, N, K, M, W)
        tables = frame_similarities(queries["tuples"], shots.flatten(1, 2))  # (B, Q, N·K, M, M)
        tables = tables.unflatten(2, shots.shape[1:3])
        if self.separate:
            scores = self.metric.score(tables, self.visil).mean(dim=-1)
        else:
            scores = self.metric.score(tables.transpose(3, 4).flatten(-2), self.visil)
        return {"few_shot": self.settings.temperature * self.weight * scores}
