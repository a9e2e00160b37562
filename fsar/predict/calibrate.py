"""Probabilities instead of scores: one temperature, fitted where each example is left out and labelled by the others.

A softmax of a method's logits says which class is ahead, not how often it is right: with few examples it is mostly too
sure (Guo et al., ICML 2017, arXiv 1706.04599, whose temperature this is).
"""

import numpy as np
from numpy.typing import NDArray

# With fewer examples left out one temperature cannot be told from another: scores stay scores.
ENOUGH = 10
# So many are left out where each costs a comparison with all others.
TELLING = 60
LARGEST = 1e4  # temperature, and its inverse the smallest


def fit_temperature(
    logits: NDArray[np.floating], labels: NDArray[np.int64], several: NDArray[np.bool_]
) -> float | None:
    """Return the temperature T with which softmax(logits / T) fits the labels of left-out examples best.

    One more example is added, of which nothing is known: the right class of each is wanted with (V + 1/N) / (V + 1) and
    not with 1. Otherwise a small set without a mistake would have T = 0, and every clip be certain (Platt, 1999).

    Args:
        logits: (V, N), each example left out of its class.
        labels: (V,).
        several: (V,) whether an example could be left out.

    Returns:
        T; None where there are fewer than `ENOUGH` examples, or a class has a single one.
    """
    count, classes = logits.shape
    if count < ENOUGH or not several.all() or classes < 2:
        return None
    from scipy.optimize import minimize_scalar  # half a second, which few examples do without
    from scipy.special import log_softmax

    wanted = np.full(logits.shape, 1 / classes / (count + 1))
    wanted[np.arange(count), labels] += count / (count + 1)
    values = logits.astype(float)

    def loss(log_temperature: float) -> float:
        return float(-(wanted * log_softmax(values / np.exp(log_temperature), axis=1)).sum(axis=1).mean())

    bound = np.log(LARGEST)
    grid = np.linspace(-bound, bound, 65)  # the loss need not have a single valley where labels are wrong
    best = int(np.argmin([loss(value) for value in grid]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    return float(np.exp(minimize_scalar(loss, bounds=around, method="bounded").x))
