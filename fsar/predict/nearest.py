"""The example that a clip is nearest to, frame by frame."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.methods.blocks.otam import both_directions
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.needs import Tensors
from fsar.methods.otam.record import OtamConfig
from fsar.model.alignment import hard_alignment
from fsar.predict.decide import Decision


@dataclass(frozen=True)
class Nearest:
    """The nearest example.

    Attributes:
        number: of the example in the support set.
        distances: (T, T) between the frames of the clip (rows) and of the example (columns), 1 − cos.
    """

    number: int
    distances: NDArray[np.float32]

    @property
    def alignment(self) -> list[tuple[int, int]]:
        """The ordered alignment of the frames: (row, column) of its cells."""
        return hard_alignment(self.distances.astype(float))


class SupportClips:
    """The examples one by one, each modulated with the text of its class; compared by OTAM, whatever the metric is.

    Args:
        decision: gives the head and the texts.
        stored: what is kept of the examples, (V, …) each.
        labels: (V,) of them.
    """

    @torch.inference_mode()
    def __init__(self, decision: Decision, stored: Tensors, labels: Tensor):
        self.head = decision.head
        self.clips = self.head.single_frames(decision.queries(stored), decision.text[labels])
        settings = self.head.settings
        self.smoothing = (settings if isinstance(settings, OtamConfig) else OtamConfig()).smoothing

    @torch.inference_mode()
    def nearest(self, query: Tensors) -> Nearest:
        """Return the example that is nearest to a clip, of which `Decision.queries` gives (1, …) each."""
        frames = self.head.single_frames(query)  # (1, T, D)
        distances = frame_distances(frames, self.clips)[0]  # (V, T, T)
        costs = both_directions(distances, self.smoothing)  # (V,)
        number = int(costs.argmin())
        return Nearest(number, distances[number].cpu().numpy())
