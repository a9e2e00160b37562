"""Features of videos and of their classes, as tests and validation use them; apart from the file that keeps them."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from fsar.methods.needs import Tensors


class Features(NamedTuple):
    """What tests use: the features of videos, and the text features of their classes.

    Attributes:
        videos, stored: row of each video by its id, and their features (`Head.store`), (V, …) each; with several draws
            of frames, those of each after those of the one before.
        classes, text: row of each class by its name, in (C, D) text features, or (C, S, D) of each text; (C, 0) for a
            backbone without a text encoder.
    """

    videos: dict[str, int]
    stored: Tensors
    classes: dict[str, int]
    text: Tensor

    def to(self, where: torch.device) -> "Features":
        """Return the same on a device."""
        stored = {name: videos.to(where) for name, videos in self.stored.items()}
        return self._replace(stored=stored, text=self.text.to(where))

    @property
    def views(self) -> "list[Features]":
        """The features of each draw of the videos' frames."""
        count = len(self.videos)
        starts = range(0, len(next(iter(self.stored.values()))), count)
        return [
            self._replace(stored={name: values[start : start + count] for name, values in self.stored.items()})
            for start in starts
        ]


def rows_of(names: Iterable[str]) -> dict[str, int]:
    """Return the row of each name, in their order."""
    return {name: row for row, name in enumerate(names)}
