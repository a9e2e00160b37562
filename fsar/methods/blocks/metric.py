"""What every matching metric is: a file here with a class `Matching`, named by the key `metric` of a head."""

from importlib import import_module
from typing import cast

from torch import Tensor, nn

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
    episodes_at_once = 250

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


def load_metric(name: str, inputs: Inputs, smoothing: float) -> Metric:
    """Build a metric by its name.

    It is imported by name, so that a trained model depends on the code of its own metric and of no other.
    """
    module = import_module(f"fsar.methods.blocks.{name}")
    return cast(Metric, module.Matching(inputs, smoothing))
