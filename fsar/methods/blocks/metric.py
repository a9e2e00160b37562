"""What every matching metric is: a file here with a class `Matching`, named by the key `metric` of a head."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

import torch
from torch import Tensor, nn

from fsar.methods.blocks.similarity import frame_similarities
from fsar.methods.needs import Inputs, Tensors


class Metric(nn.Module):
    """A distance between query videos and classes; smaller is nearer.

    Args:
        inputs: the width of frame features, D, and the frames of a video, T.
        smoothing: λ, of a softmin.

    Attributes:
        keeps_shots: a class is compared as its K support videos, not as one prototype.
        episodes_at_once: how many test episodes are compared in one call; bounds memory.
    """

    keeps_shots = False
    episodes_at_once = 50  # more gain nothing, and take more memory

    def __init__(self, inputs: Inputs, smoothing: float):
        super().__init__()
        self.smoothing = smoothing

    def represent(self, frames: Tensor) -> Tensors:
        """Turn videos, (V, T, D), into what `forward` compares, (V, …) each: once per video, not per pair.

        Only for metrics that keep the shots; prototypes of several shots are made of frame features.
        """
        return {"frames": frames}

    def forward(self, queries: Tensors, support: Tensors) -> Tensor:
        """Compare queries, (B, Q, …) each, with classes, (B, N, K, …) each, where K is 1 for prototypes → (B, Q, N)."""
        return self.distances(queries["frames"], support["frames"].squeeze(2))

    def distances(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distance of every query from every prototype: (…, Q, T, D), (…, N, T, D) → (…, Q, N)."""
        raise NotImplementedError


class TableMetric(Metric):
    """A metric of the table of cosines of every frame of a query with every frame of a class: (T, S).

    Attributes:
        by_place: it looks at where in a video a frame is, so that it compares one video with one.
        averages: `alike` is at most 1, whatever T is.
    """

    by_place = False
    averages = False

    def tables(self, similarities: Tensor) -> tuple[Tensor, ...]:
        """Return the tables that `alike` is asked of: the one that is given, its transpose, or both."""
        return (similarities,)

    def alike(self, similarities: Tensor) -> Tensor:
        """Return how alike a query and a class are, by one table: (…, T, S) → (…); larger is more alike."""
        raise NotImplementedError

    def score(self, similarities: Tensor, refined: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the mean of `alike` over `tables`: (…, T, S) → (…).

        Args:
            similarities: (…, T, S).
            refined: what each table goes through before it is looked at; it may become smaller.
        """
        tables = self.tables(similarities)
        alike = [self.alike(refined(table) if refined else table) for table in tables]
        return alike[0] if len(alike) == 1 else torch.stack(alike).mean(dim=0)

    def distances(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distance of every query from every prototype: (…, Q, T, D), (…, N, T, D) → (…, Q, N).

        An average is multiplied by T, so that logits have the range of OTAM's, which sums over frames.
        """
        score = self.score(frame_similarities(queries, prototypes))
        return queries.shape[-2] * (1 - score) if self.averages else -score


def load_metric(name: str, inputs: Inputs, smoothing: float) -> Metric:
    """Build a metric by its name.

    It is imported by name, so that a trained model depends on the code of its own metric and of no other.
    """
    module = import_module(f"fsar.methods.blocks.{name}")
    return cast(Metric, module.Matching(inputs, smoothing))
