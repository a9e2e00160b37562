"""The variance of an accuracy, or of a difference of two, from its parts; and how sure the variance itself is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fsar.statistics.intervals import quantile

Values = NDArray[np.float64]


class Variance(NamedTuple):
    """Variances of any number of means; all of one shape.

    Attributes:
        episodes: over the draw of the episodes, with the videos as they are.
        videos: over the draw of the test videos, and of the episodes from them; NaN where it cannot be told.
        freedom: of Student's t, for intervals over videos.
    """

    episodes: Values
    videos: Values
    freedom: Values

    @property
    def half_widths(self) -> Values:
        """Of the 95 % intervals over the test videos."""
        return np.asarray(np.sqrt(self.videos) * quantile(self.freedom))


def of_parts(
    episodes: Values,
    classes: Values,
    spanning: Values,
    most_freedom: float,
    noise: float | Values = 0.0,
    films: int = 0,
) -> Variance:
    """Add up the parts of a variance.

    The freedom is twice the square of an estimate over its own variance (Satterthwaite, Biometrics Bulletin 1946). The
    classes' parts are independent estimates, so their spread shows how far their sum varies. That they differ in truth
    as well makes the freedom too small rather than too large.

    Args:
        episodes: (...) over the draw of the episodes.
        classes: (C, ...) what the sources of each class add.
        spanning: (...) what sources over several classes add to that.
        most_freedom: what the freedom would be if each class's part were as sure as its sources allow.
        noise: (...) standard deviation of `spanning` by the draw of the episodes.
        films: number of sources over several classes.
    """
    # An estimate may fall below what the episodes alone give. The truth cannot: other videos come with other episodes.
    videos = np.maximum(episodes + classes.sum(axis=0) + spanning, episodes)
    count = len(classes)
    unsure = 2 * np.square(spanning) / max(films - 1, 1) + np.square(noise)
    if count > 1:
        unsure = unsure + count * classes.var(axis=0, ddof=1)
    freedom = np.divide(2 * np.square(videos), unsure, out=np.full(videos.shape, np.inf), where=unsure > 0)
    return Variance(episodes, videos, np.clip(freedom, 1, most_freedom))
