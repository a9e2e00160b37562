"""Frame rates, calculated from the times of frames."""

import numpy as np
from numpy.typing import NDArray

# Rounding error, in seconds, if the times were stored in milliseconds at some point.
MILLISECOND = 0.001


def usual_step(times: NDArray[np.float64]) -> float:
    """Return the median of the steps between increasing times, in seconds; 0 if there are none."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def varies(times: NDArray[np.float64], tick: float) -> bool:
    """Return whether the frame rate varies: times are further from evenly spaced ones than rounding explains.

    Args:
        times: (N,) of frames, in seconds, increasing.
        tick: the unit that the times were rounded to, in seconds. It is ignored if it is half a frame or more: such a
            clock counts frames.
    """
    if len(times) < 3:
        return False
    allowed = max(MILLISECOND, tick if tick < usual_step(times) / 2 else 0.0)
    order = np.arange(len(times))
    mean = (times[-1] - times[0]) / (len(times) - 1)
    low, high = mean - 2 * allowed / (len(times) - 1), mean + 2 * allowed / (len(times) - 1)

    def width(step: float) -> float:
        """Return the width of the narrowest strip around evenly spaced times with this step, in seconds."""
        return float(np.ptp(times - order * step))

    for _ in range(40):  # that width has one minimum: search for it
        first, second = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, second) if width(first) < width(second) else (first, high)
    return width(low) > 1.01 * allowed
