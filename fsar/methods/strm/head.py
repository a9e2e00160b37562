"""STRM, spatio-temporal relation modelling (Thatipelli et al., CVPR 2022), as its public code computes it.

Patches of a frame attend to one another, frames are mixed, TRX compares the result. A second metric looks at the frames
before they are mixed.

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, map width D, tuples of a video M.
"""

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from fsar.methods.blocks.motion import beside_motion, width_beside_motion
from fsar.methods.blocks.positions import sinusoidal
from fsar.methods.blocks.tuples import TupleMatching, pieces, tuples_of_pieces
from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.strm.record import StrmConfig

# Below it a distance has no gradient: that of a square root is infinite at zero.
LEAST_SQUARE = 1e-12


def pooled(maps: Tensor, grid: int) -> Tensor:
    """Return the maximum of each part of a map: (F, D, h, w) → (F, D, grid, grid).

    The parts overlap where `grid` does not divide the size, as those of PyTorch's adaptive pooling do; the gradient of
    that is not the same twice on a GPU.
    """
    for _ in range(2):  # columns first, then rows; each time the other dimension becomes the last
        size = maps.shape[-1]
        parts = [slice(i * size // grid, -(-(i + 1) * size // grid)) for i in range(grid)]
        maps = torch.stack([maps[..., part].max(dim=-1).values for part in parts], dim=-1).transpose(-1, -2)
    return maps


class PatchAttention(nn.Module):
    """Patches of a frame attend to one another, without a temperature; then their mean is the frame.

    Args:
        width: D.
        grid: a map is pooled to grid × grid patches, each the maximum of its part.
        dropout: of the patches, after their positions are added.
    """

    def __init__(self, width: int, grid: int, dropout: float):
        super().__init__()
        self.grid = grid
        self.dropout = nn.Dropout(dropout)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.share = nn.Parameter(torch.zeros(1))  # γ, of what attention finds: nothing at the start
        self.mix = nn.Sequential(
            nn.Linear(width, width // 2),
            nn.ReLU(),
            nn.Linear(width // 2, width // 2),
            nn.ReLU(),
            nn.Linear(width // 2, width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Turn the maps of frames into frames: (F, D, h, w) → (F, D)."""
        x = pooled(maps, self.grid).flatten(2).transpose(1, 2)  # (F, grid², D)
        x = self.dropout(x + sinusoidal(x.shape[1], x.shape[2]).to(x))
        attention = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2), dim=-1)
        x = self.share * (attention @ self.value(x)) + x
        return (self.mix(x) + x).mean(dim=1)


class FrameMixing(nn.Module):
    """Frames are mixed, channel by channel, and then the channels of each frame.

    Args:
        width, frames: D and T.
        dropout: of the frames, after their positions are added.
    """

    def __init__(self, width: int, frames: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.across_frames = nn.Sequential(nn.Linear(frames, frames), nn.ReLU(), nn.Linear(frames, frames))
        self.across_channels = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, frames: Tensor) -> Tensor:
        """Mix the frames of each video: (V, T, D) → (V, T, D)."""
        x = self.dropout(frames + sinusoidal(frames.shape[1], frames.shape[2]).to(frames))
        x = self.across_frames(x.transpose(1, 2)).transpose(1, 2) + x
        return self.across_channels(x) + x


class SecondMetric(nn.Module):
    """The mean over the query's tuples of their Euclidean distance from the nearest tuple of a class.

    Args:
        width, frames: D and T.
        cardinality: c, frames in a tuple.
        dropout: of the frames.
    """

    made_of: Tensor

    def __init__(self, width: int, frames: int, cardinality: int, dropout: float):
        super().__init__()
        self.cardinality = cardinality
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("made_of", tuples_of_pieces(frames, cardinality), persistent=False)
        layer = nn.Linear(cardinality * width, width // 2)
        self.weight, self.bias = layer.weight, layer.bias

    def drop(self, frames: Tensor, of_support: bool) -> Tensor:
        """Apply the dropout to frames, (V, T, D)."""
        return self.dropout(frames)

    def represent(self, frames: Tensor, of_support: bool) -> Tensor:
        """Return the tuples of videos: (V, T, D) → (V, M, D/2)."""
        parts = pieces(self.drop(frames, of_support), self.weight, self.bias, self.cardinality)
        return torch.relu(self.made_of @ parts)

    def forward(self, support: Tensor, queries: Tensor) -> Tensor:
        """Compare (B, N, K, M, D/2) support videos with (B, Q, M, D/2) queries → (B, Q, N) distances."""
        of_queries, of_support = queries.flatten(1, 2), support.flatten(1, 3)  # (B, Q·M, D/2), (B, N·K·M, D/2)
        squares = of_support.square().sum(dim=-1).unsqueeze(1) - 2 * of_queries @ of_support.transpose(1, 2)
        nearest = squares.unflatten(-1, (support.shape[1], -1)).amin(dim=-1)  # (B, Q·M, N)
        nearest = nearest + of_queries.square().sum(dim=-1, keepdim=True)
        return nearest.clamp_min(LEAST_SQUARE).sqrt().unflatten(1, queries.shape[1:3]).mean(dim=2)


class PublishedSecondMetric(SecondMetric):
    """The second metric as the public code has it, where no optimizer, no weights' file and no `eval()` reaches it.

    Its layer stays as it was drawn at the start and its dropout stays on. So that the same settings give the same
    numbers, both are drawn from a seed of the settings instead of the state of the program: the layer, which is
    therefore the same in training and after it without being saved, and the entries that are dropped in evaluation.
    The latter are drawn once for all queries and once for all support videos (the public code draws them anew for each
    comparison), so that no result depends on the order of videos or on how many are computed together.

    Args:
        width, frames, cardinality, dropout: as of `SecondMetric`.
        seed: of the layer and of what is dropped.
    """

    kept: Tensor

    def __init__(self, width: int, frames: int, cardinality: int, dropout: float, seed: int):
        super().__init__(width, frames, cardinality, dropout)
        random = torch.Generator().manual_seed(seed + cardinality)
        bound = 1 / math.sqrt(self.weight.shape[1])  # as nn.Linear draws both
        for name, parameter in [("weight", self.weight), ("bias", self.bias)]:
            delattr(self, name)
            drawn = torch.empty(parameter.shape).uniform_(-bound, bound, generator=random)
            self.register_buffer(name, drawn, persistent=False)
        # (queries and support, T, D): zero, or 1/(1 − p)
        kept = (torch.rand(2, frames, width, generator=random) >= dropout) / (1 - dropout)
        self.register_buffer("kept", kept, persistent=False)

    def drop(self, frames: Tensor, of_support: bool) -> Tensor:
        """Apply the dropout to frames, (V, T, D), in training and after it."""
        return self.dropout(frames) if self.training else frames * self.kept[int(of_support)]


class Strm(Head):
    """The scores of TRX on mixed frames and of the second metric on the frames before."""

    averages_shots = False
    episodes_at_once = 10

    def __init__(self, inputs: Inputs, settings: StrmConfig):
        super().__init__(inputs, settings)
        width, frames, dropout = inputs.width, inputs.frames, settings.dropout
        self.patches = PatchAttention(width, settings.grid, dropout)
        self.mixing = FrameMixing(width, frames, dropout)
        matched = width_beside_motion(width, settings.motion_share)
        self.matching = TupleMatching(matched, frames, settings.cardinalities, settings.tuple_width, dropout)
        self.second = nn.ModuleDict(
            {
                str(c): SecondMetric(width, frames, c, dropout)
                if settings.second_metric == "registered"
                else PublishedSecondMetric(width, frames, c, dropout, settings.second_metric_seed)
                for c in settings.cardinalities
            }
        )

    def store(self, features: Tensors) -> Tensors:
        """Return the frames that patch attention makes of the maps, (V, T, D, h, w) → (V, T, D)."""
        maps = features["maps"]
        return {"frames": self.patches(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])}

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the tuples of each query video for both metrics."""
        return self._stage(stored["frames"], of_support=False)

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Return the tuples of each support video; another dropout stays on there in the published second metric."""
        return self._stage(stored["frames"], of_support=True)

    def support_like_queries(self, shot: int) -> bool:
        """Tell whether both stages are the same: unless the published second metric's dropout tells them apart."""
        return self.settings.second_metric == "registered"

    def _second(self) -> list[tuple[str, SecondMetric]]:
        return [(cardinality, cast(SecondMetric, metric)) for cardinality, metric in self.second.items()]

    def _stage(self, frames: Tensor, of_support: bool) -> Tensors:
        second = {f"second_{c}": metric.represent(frames, of_support) for c, metric in self._second()}
        mixed = beside_motion(self.mixing(frames), self.settings.motion_share)
        return self.matching.represent(mixed) | second

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the scores of an episode, (B, Q, N) each."""
        second = [metric(support[f"second_{c}"], queries[f"second_{c}"]) for c, metric in self._second()]
        return {"few_shot": -self.matching(support, queries), "second_metric": -torch.stack(second).mean(dim=0)}

    def score_weights(self) -> Mapping[str, float]:
        """Return the weight of each metric in the decision, and of its loss."""
        return {"few_shot": 1.0, "second_metric": self.settings.second_metric_weight}
