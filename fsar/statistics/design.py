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
            shares its source with no other has a number of its own; −1 where there is no video.
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

    @property
    def few_sources(self) -> bool:
        """Whether half of the classes have no more sources than an episode has videos of a class.

        All episodes then have nearly the same sources, and little shows what others would give: intervals over test
        videos are rather too short (docs/results.md).
        """
        own = (np.unique(self.sources[self.classes == number]) for number in range(self.class_count))
        counts = [np.count_nonzero(sources >= 0) for sources in own]
        return bool(np.median([count for count in counts if count]) <= self.sources.shape[-1])
