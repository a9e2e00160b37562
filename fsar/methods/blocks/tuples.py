"""Tuples of frames and the attention between those of two videos (Perrett et al., TRX, CVPR 2021, Sec. 3).

A video of T frames is the set of its M = C(T, c) ordered c-tuples. A linear layer of a tuple is a sum over its places,
W [f_a; f_b] = W₁ f_a + W₂ f_b, so all tuples are sums of R = c·(T − c + 1) pieces: of 8 frames, 28 pairs are sums of 14
and 56 triples of 18. A video is kept as its pieces, and products of tuples are sums of products of pieces, which are
fewer: 14² + 18² of two videos instead of 28² + 56². Nothing is approximated.

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D, tuple width W.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.methods.blocks.positions import sinusoidal
from fsar.methods.needs import Tensors


def tuples_of_pieces(frames: int, cardinality: int) -> Tensor:
    """Return which pieces each tuple is the sum of: (M, R) of zeros and ones, pieces by place and then by frame."""
    chosen = torch.tensor(list(combinations(range(frames), cardinality)))  # (M, c)
    each = frames - cardinality + 1  # frames that can take a place
    numbers = chosen + torch.arange(cardinality) * (each - 1)
    return F.one_hot(numbers, cardinality * each).sum(dim=1).float()


def pieces(videos: Tensor, weight: Tensor, bias: Tensor | None, cardinality: int) -> Tensor:
    """Return the pieces of a linear layer of tuples: (V, T, D), (W, c·D) → (V, R, W)."""
    each = videos.shape[1] - cardinality + 1
    places = weight.unflatten(1, (cardinality, -1)).unbind(dim=1)  # c of (W, D)
    # Frames of all videos in one product, which is faster than a product for each video.
    parts = [F.linear(videos[:, i : i + each].flatten(0, 1), place) for i, place in enumerate(places)]
    if bias is not None:
        parts[0] = parts[0] + bias
    return torch.cat([part.unflatten(0, (-1, each)) for part in parts], dim=1)


class TupleAttention(nn.Module):
    """One cardinality: a tuple of the query attends to all tuples of a class, and what it finds is compared with it.

    The published layer of the values has a bias, which cancels: it is in a query's tuple and in what is found, whose
    weights sum to one. It is left out.

    Args:
        width, frames: D and T.
        cardinality: c, frames in a tuple.
        tuple_width: W, of keys and values.
        dropout: of the frames, after their positions are added.
    """

    made_of: Tensor

    def __init__(self, width: int, frames: int, cardinality: int, tuple_width: int, dropout: float):
        super().__init__()
        self.cardinality = cardinality
        self.dropout = nn.Dropout(dropout)
        self.key = nn.Linear(width * cardinality, tuple_width)
        self.value = nn.Linear(width * cardinality, tuple_width, bias=False)
        self.norm = nn.LayerNorm(tuple_width)
        self.register_buffer("made_of", tuples_of_pieces(frames, cardinality), persistent=False)

    def represent(self, videos: Tensor) -> Tensors:
        """Return what is compared of videos, (V, T, D).

        A key is LN(x) = γ (x − mean) r + β with r = 1/σ. In k_q·k_s what only the query's tuple decides does not change
        a softmax over the support's tuples, so that r_q r_s (γ x_q·γ x_s) + r_s (β·γ x_s) is left, x centred.

        Returns:
            keys: (V, R, W) pieces of γ (x − mean).
            inverse, offset: (V, M) r and r β·γ (x − mean) of each tuple.
            values: (V, R, W) pieces of the values.
        """
        placed = self.dropout(videos + sinusoidal(videos.shape[1], videos.shape[2]).to(videos))
        keys = pieces(placed, self.key.weight, self.key.bias, self.cardinality)
        keys = keys - keys.mean(dim=-1, keepdim=True)
        tuples = self.made_of @ keys  # (V, M, W)
        inverse = (tuples.square().mean(dim=-1) + self.norm.eps).rsqrt()
        return {
            "keys": self.norm.weight * keys,
            "inverse": inverse,
            "offset": inverse * (tuples @ (self.norm.weight * self.norm.bias)),
            "values": pieces(placed, self.value.weight, None, self.cardinality),
        }

    def forward(self, support: Tensors, queries: Tensors) -> Tensor:
        """Compare (B, N, K, …) support videos with (B, Q, …) queries → (B, Q, N) distances.

        A distance is the mean over the query's tuples of |v_q − Σ a v_s|².
        """
        found = self._found(support, queries)  # (B, N, Q, M, K·R)
        # Multiplied out, a distance is a small difference of large numbers if all values have something in common.
        shots = support["values"].unflatten(-2, (self.cardinality, -1))  # (B, N, K, c, R/c, W)
        common = shots[:, :, :1].mean(dim=(1, 2, 4), keepdim=True).detach()
        of_queries, of_support = (
            (values.unflatten(-2, (self.cardinality, -1)) - shared).flatten(-3, -2)
            for values, shared in ((queries["values"], common.squeeze(1)), (support["values"], common))
        )
        classes = of_support.flatten(2, 3)  # (B, N, K·R, W)
        among = (found.flatten(2, 3) @ (classes @ classes.transpose(-1, -2))).unflatten(2, found.shape[2:4])
        across = self.made_of @ _products(of_queries, of_support)
        square = (of_queries @ of_queries.transpose(-1, -2) * (self.made_of.T @ self.made_of)).sum(
            dim=(-2, -1)
        )  # (B, Q)
        rest = ((among - 2 * across) * found).sum(dim=(-2, -1))  # (B, N, Q)
        return (square.unsqueeze(-1) + rest.transpose(1, 2)) / len(self.made_of)

    def residuals(self, support: Tensors, queries: Tensors, taken_for: Tensor) -> Tensor:
        """Return what tuples of queries have beyond what they find in one class: v_q − Σ a v_s.

        Args:
            support, queries: as `forward` takes them.
            taken_for: (B, Q) the class of each query.

        Returns:
            (B, Q, M, W).
        """
        found = self._found(support, queries).transpose(1, 2)  # (B, Q, N, M, K·R)
        place = taken_for[..., None, None, None]
        own = found.gather(2, place.expand(-1, -1, 1, *found.shape[3:])).squeeze(2)  # (B, Q, M, K·R)
        classes = support["values"].flatten(2, 3)  # (B, N, K·R, W)
        values = classes.gather(1, taken_for[..., None, None].expand(-1, -1, *classes.shape[2:]))  # (B, Q, K·R, W)
        return self.made_of @ queries["values"] - own @ values

    def _found(self, support: Tensors, queries: Tensors) -> Tensor:
        """Return the weight of each piece of a class in what a tuple of a query finds there: (B, N, Q, M, K·R)."""
        root = math.sqrt(self.key.out_features)
        shot = support["keys"].shape[2]
        alike = self.made_of @ _products(queries["keys"] / root, support["keys"])  # (B, N, Q, M, K·R)
        alike = alike * queries["inverse"][:, None, :, :, None]
        alike = alike.unflatten(-1, (shot, -1)) @ self.made_of.T  # (B, N, Q, M, K, M)
        offset, inverse = (support[name][:, :, None, None] for name in ("offset", "inverse"))  # (B, N, 1, 1, K, M)
        attention = torch.addcmul(offset / root, alike, inverse).flatten(-2).softmax(dim=-1)
        return (attention.unflatten(-1, (shot, -1)) @ self.made_of).flatten(-2)


class TupleMatching(nn.Module):
    """The mean of the distances of several cardinalities, as in the public code.

    Args:
        width, frames, tuple_width, dropout: as of `TupleAttention`.
        cardinalities: frames in a tuple, of each.
    """

    def __init__(self, width: int, frames: int, cardinalities: Sequence[int], tuple_width: int, dropout: float):
        super().__init__()
        self.relations = nn.ModuleDict(
            {str(c): TupleAttention(width, frames, c, tuple_width, dropout) for c in cardinalities}
        )

    def represent(self, videos: Tensor) -> Tensors:
        """Return what is compared of videos, (V, T, D): of each cardinality what `TupleAttention.represent` returns."""
        return {
            f"{name}_{cardinality}": tensor
            for cardinality, relation in self.relations.items()
            for name, tensor in relation.represent(videos).items()  # type: ignore[operator]
        }

    def relation(self, cardinality: str) -> TupleAttention:
        """Return the part for one cardinality."""
        return cast(TupleAttention, self.relations[cardinality])

    def residuals(self, cardinality: str, support: Tensors, queries: Tensors, taken_for: Tensor) -> Tensor:
        """Return `TupleAttention.residuals` of one cardinality."""
        relation = self.relation(cardinality)
        return relation.residuals(_of(cardinality, support), _of(cardinality, queries), taken_for)

    def forward(self, support: Tensors, queries: Tensors) -> Tensor:
        """Compare (B, N, K, …) support videos with (B, Q, …) queries → (B, Q, N) distances."""
        distances = [
            relation(_of(cardinality, support), _of(cardinality, queries))
            for cardinality, relation in self.relations.items()
        ]
        return torch.stack(distances).mean(dim=0)


def _of(cardinality: str, videos: Tensors) -> Tensors:
    ending = f"_{cardinality}"
    return {name.removesuffix(ending): tensor for name, tensor in videos.items() if name.endswith(ending)}


def _products(queries: Tensor, support: Tensor) -> Tensor:
    """Multiply all pieces of queries with all of classes: (B, Q, R, W), (B, N, K, R, W) → (B, N, Q, R, K·R)."""
    products = queries.flatten(1, 2) @ support.flatten(1, 3).transpose(-1, -2)  # (B, Q·R, N·K·R)
    products = products.unflatten(1, queries.shape[1:3]).unflatten(-1, (support.shape[1], -1))
    return products.permute(0, 3, 1, 2, 4)
