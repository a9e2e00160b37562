"""TRX, temporal-relational cross-transformers (Perrett et al., CVPR 2021), as its public code computes it.

A video is the set of its ordered pairs and triples of frames. A tuple of the query attends to all tuples of all support
videos of a class; what it finds there is compared with its own value. Shots are therefore not averaged.
"""

import math
from itertools import combinations, count

import torch
from torch import Tensor, nn

from fsar.config import HeadConfig
from fsar.methods.blocks.metric import Metric

CARDINALITIES = (2, 3)  # pairs and triples, the paper's best set
TUPLE_WIDTH = 1152  # of keys and values
POSITION_SCALE = 0.1
POSITION_DROPOUT = 0.1


class CrossTransformer(nn.Module):
    """The relations of one cardinality.

    Args:
        width: D.
        cardinality: frames in a tuple.
    """

    def __init__(self, width: int, cardinality: int):
        super().__init__()
        self.cardinality = cardinality
        self.dropout = nn.Dropout(POSITION_DROPOUT)
        self.key = nn.Linear(width * cardinality, TUPLE_WIDTH)
        self.value = nn.Linear(width * cardinality, TUPLE_WIDTH)
        self.norm = nn.LayerNorm(TUPLE_WIDTH)

    def represent(self, videos: Tensor) -> Tensor:
        """Return keys and values of all tuples: (V, T, D) → (V, tuples, 2·TUPLE_WIDTH)."""
        frames = self.dropout(videos + positions(videos.shape[1], videos.shape[2]).to(videos))
        tuples = torch.tensor(list(combinations(range(videos.shape[1]), self.cardinality)), device=videos.device)
        stacked = frames[:, tuples].flatten(-2)  # (V, tuples, cardinality·D)
        return torch.cat([self.norm(self.key(stacked)), self.value(stacked)], dim=-1)

    def forward(self, queries: Tensor, support: Tensor) -> Tensor:
        """Compare (..., Q, tuples, 2W) with (..., N, K, tuples, 2W) → (..., Q, N) distances."""
        query_keys, query_values = queries.unsqueeze(-3).chunk(2, dim=-1)  # (..., Q, 1, tuples, W)
        keys, values = support.flatten(-3, -2).unsqueeze(-4).chunk(2, dim=-1)  # (..., 1, N, K·tuples, W)
        attention = torch.softmax(query_keys @ keys.transpose(-1, -2) / math.sqrt(TUPLE_WIDTH), dim=-1)
        found = attention @ values  # (..., Q, N, tuples, W)
        return (query_values - found).square().sum(dim=-1).mean(dim=-1)


class Matching(Metric):
    """The mean of the cardinalities' distances, as in the public code."""

    keeps_shots = True
    episodes_at_once = 20

    def __init__(self, width: int, config: HeadConfig):
        super().__init__(width, config)
        self.relations = nn.ModuleList(CrossTransformer(width, cardinality) for cardinality in CARDINALITIES)

    def represent(self, videos: Tensor) -> Tensor:
        """Return the tuples of all cardinalities: (V, T, D) → (V, tuples, 2·TUPLE_WIDTH)."""
        return torch.cat([relation.represent(videos) for relation in self.relations], dim=1)  # type: ignore[operator]

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Compare the tuples of every query with those of every class's shots: → (..., Q, N) distances."""
        sizes = tuple_counts(queries.shape[-2])
        parts = zip(self.relations, queries.split(sizes, dim=-2), prototypes.split(sizes, dim=-2), strict=True)
        return torch.stack([relation(q, s) for relation, q, s in parts], dim=-1).mean(dim=-1)


def tuple_counts(total: int) -> list[int]:
    """Return how many of `total` tuples each cardinality has; the total tells the number of frames."""
    for frames in count(max(CARDINALITIES)):
        counts = [math.comb(frames, cardinality) for cardinality in CARDINALITIES]
        if sum(counts) >= total:
            break
    return counts


def positions(frames: int, width: int) -> Tensor:
    """Return the sinusoidal encoding of frame positions, scaled: (T, D)."""
    place = torch.arange(frames).unsqueeze(1)  # (T, 1)
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))  # (D / 2,)
    return (
        POSITION_SCALE * torch.stack([torch.sin(place * rate), torch.cos(place * rate)], dim=-1).flatten(1)[:, :width]
    )
