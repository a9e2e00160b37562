"""What is said of one clip."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fsar.predict.clips import Clip
from fsar.predict.nearest import Nearest

# The label of a clip that is not near enough to any class.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Prediction:
    """What is said of one clip.

    Attributes:
        clip: which.
        reason: why the clip cannot be read; empty if it can, and what follows is empty if it cannot.
        label: the class with the highest score, or `UNKNOWN`.
        scores: (N,) of each class, which add up to one: probabilities where the classifier is calibrated.
        logits: (N,) as the workflow's tests have them.
        nearest: the example it is nearest to; None without examples.
        strip: the frames that were looked at side by side, as JPEG; empty if they were not asked for.
    """

    clip: Clip
    reason: str = ""
    label: str = ""
    scores: NDArray[np.float32] | None = None
    logits: NDArray[np.float32] | None = None
    nearest: Nearest | None = None
    strip: bytes = b""

    @property
    def margin(self) -> float:
        """How far the first class is ahead of the second; 1 if there is one class, NaN for an unread clip."""
        if self.scores is None:
            return float("nan")
        ordered = np.sort(self.scores)[::-1]
        return float(ordered[0] - (ordered[1] if len(ordered) > 1 else 0.0))
