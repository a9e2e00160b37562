"""The head: minus the distance of mean frames."""

import torch
from fsar.methods.nearest_mean.record import NearestMeanConfig
from torch import Tensor, nn

from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors


class NearestMean(Head):
    """Minus the squared distance of the mean of a query's frames from that of a class's."""

    def __init__(self, inputs: Inputs, settings: NearestMeanConfig):
        super().__init__(inputs, settings)
        self.turn = nn.Linear(inputs.width, inputs.width, bias=False)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the mean frame: (V, D)."""
        return {"mean": self.turn(stored["frames"].mean(dim=1))}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distances: (B, Q, N)."""
        distances = torch.cdist(queries["mean"], support["mean"].squeeze(2)).square()
        return {"few_shot": -self.settings.scale * distances}
