"""Frame rates, from the times of frames."""

import numpy as np
from numpy.typing import NDArray

# What a clock of milliseconds somewhere on a video's way leaves, in seconds.
MILLISECOND = 0.001


def usual_step(times: NDArray[np.float64]) -> float:
    """Return the median of the steps between increasing times, in seconds; 0 if there are none."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def varies(times: NDArray[np.float64], tick: float) -> bool:
    """Return whether times are further from even ones than the rounding of a clock explains.

    Args:
        times: (N,) of frames, in seconds, increasing.
        tick: the unit of the clock that they were rounded to, in seconds; of a clock that ticks once or twice a frame
            none are taken to be rounded.
    """
    if len(times) < 3:
        return False
    allowed = max(MILLISECOND, tick if tick < usual_step(times) / 2 else 0.0)
    order = np.arange(len(times))
    mean = (times[-1] - times[0]) / (len(times) - 1)
    low, high = mean - 2 * allowed / (len(times) - 1), mean + 2 * allowed / (len(times) - 1)

    def width(step: float) -> float:
        """Of the narrowest strip around even times with this step, in seconds."""
        return float(np.ptp(times - order * step))

    for _ in range(40):  # that width has one minimum: search for it
        first, second = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, second) if width(first) < width(second) else (first, high)
    return width(low) > 1.01 * allowed
