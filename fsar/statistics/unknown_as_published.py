"""Measures of unknown queries as the public code of FR-Disc has them (hsp-iit/fsosar), to compare with its tables.

They are computed in each episode, of five or ten queries, and averaged. Its false positive rate has a wrong denominator
in OSCR, false positives plus all unknown queries, and so stays below one half; the last stretch runs to (1, 1) in place
of (1, accuracy). Its AUPR joins points of the precision-recall curve by straight lines.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fsar.statistics.unknown import auroc

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


def _counts(known: Values, unknown: Values, right: Mask) -> tuple[Values, Values, Values]:
    """Return at each distinct score, decreasing: how many known, unknown and rightly classified known ones reach it."""
    thresholds = np.unique(np.concatenate([known, unknown]))[::-1]
    found = (np.count_nonzero(own[:, None] >= thresholds, axis=0) for own in (known, unknown, known[right]))
    true, false, correct = (np.asarray(own, np.float64) for own in found)
    return true, false, correct


def published_auroc(known: Values, unknown: Values, right: Mask) -> float:
    """Return the area below the ROC curve of one episode; arguments as of `fsar.statistics.unknown.auroc`."""
    return auroc(known, unknown, right).value


def published_aupr(known: Values, unknown: Values, right: Mask) -> float:
    """Return the area below the precision-recall curve by trapezoids, from (0, 1) on; arguments likewise."""
    true, false, _ = _counts(known, unknown, right)
    recall, precision = np.r_[0, true / len(known)], np.r_[1, true / (true + false)]
    return float(np.trapezoid(precision, recall))


def published_oscr(known: Values, unknown: Values, right: Mask) -> float:
    """Return OSCR with the public code's denominator and its last point (1, 1); arguments likewise.

    Of points with the same rate that of the lowest score stands first, so a stretch begins at the lowest of them.
    """
    _, false, correct = (own[::-1] for own in _counts(known, unknown, right))  # by increasing score
    rate = false / (false + len(unknown))
    order = np.argsort(rate, kind="stable")
    return float(np.trapezoid(np.r_[0, correct[order] / len(known), 1], np.r_[0, rate[order], 1]))


PUBLISHED: dict[str, Callable[[Values, Values, Mask], float]] = {
    "auroc": published_auroc,
    "aupr": published_aupr,
    "oscr": published_oscr,
}
