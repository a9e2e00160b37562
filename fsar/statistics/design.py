"""Which videos each episode of a test asks: what the interval over test videos is made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Design:
    """The stored episodes of a test; E episodes, way N, M = K + Q videos per class.

    Attributes:
        classes: (E, N) class numbers from 0.
        sources: (E, N, M) numbers of the sources that the support and query videos of each class are from; a video that
            shares its source with no other has a number of its own.
    """

    classes: NDArray[np.int64]
    sources: NDArray[np.int64]

    @property
    def episodes(self) -> int:
        """E."""
        return len(self.classes)

    @property
    def class_count(self) -> int:
        """How many classes there are."""
        return int(self.classes.max()) + 1
