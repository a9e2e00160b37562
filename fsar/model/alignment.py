"""The one ordered alignment of two frame sequences that can be drawn."""

import numpy as np
from numpy.typing import NDArray


def hard_alignment(distances: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the cells of the cheapest ordered alignment: what OTAM's soft minimum becomes as λ goes to 0.

    Args:
        distances: (L, T); rows are the query's frames.

    Returns:
        (row, column) of the cells that cost something, in order.
    """
    rows, columns = distances.shape
    padded = np.zeros((rows, columns + 2))
    padded[:, 1:-1] = distances
    cost, before = np.zeros_like(padded), {}
    for column in range(1, columns + 2):
        cost[0, column] = cost[0, column - 1] + padded[0, column]
        before[0, column] = (0, column - 1)
    for row in range(1, rows):
        for column in range(1, columns + 2):
            options = [(row - 1, column - 1), (row, column - 1)]
            if column in (1, columns + 1):
                options.append((row - 1, column))
            best = min(options, key=lambda cell: cost[cell])
            cost[row, column] = padded[row, column] + cost[best]
            before[row, column] = best
    cell, path = (rows - 1, columns + 1), []
    while cell in before:
        if 1 <= cell[1] <= columns:
            path.append((cell[0], cell[1] - 1))
        cell = before[cell]
    return path[::-1]
