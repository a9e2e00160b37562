"""What every matching metric is. A metric is one file here with a class `Matching`; docs/methods.md adds one."""

from importlib import import_module
from typing import cast

from torch import Tensor, nn

from fsar.config import HeadConfig


class Metric(nn.Module):
    """A distance between query videos and classes; smaller is nearer.

    Args:
        width: D, the width of frame features.
        config: the head's settings, such as λ.

    Attributes:
        keeps_shots: a class is compared as its K support videos, not as one prototype; forward then gets
            (..., N, K, T, D).
        episodes_at_once: how many test episodes are compared in one call; bounds memory.
    """

    keeps_shots = False
    episodes_at_once = 250

    def __init__(self, width: int, config: HeadConfig):
        super().__init__()

    def represent(self, videos: Tensor) -> Tensor:
        """Turn videos, (V, T, D), into what `forward` compares, (V, …): work done once per video, not per pair.

        Only for metrics that keep the shots; prototypes of several shots are made of frame features.
        """
        return videos

    def forward(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Compare every query with every class: (..., Q, T, D), (..., N, T, D) → (..., Q, N) distances."""
        raise NotImplementedError


def load_metric(name: str, width: int, config: HeadConfig) -> Metric:
    """Build the metric of the file `{name}.py` beside this one.

    It is imported by name, so that a trained model depends on the code of its own metric and of no other.
    """
    module = import_module(f"{__package__}.{name}")
    return cast(Metric, module.Matching(width, config))
