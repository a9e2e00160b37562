"""How sure a mean over episodes is."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95


def mean_and_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and the half-width of its 95 % confidence interval (Student's t).

    Args:
        values: (E,) independent observations, at least two.
    """
    error = float(stats.sem(values))
    return float(np.mean(values)), error * float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
