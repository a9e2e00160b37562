"""How well a score tells known queries from unknown ones, over all queries of all episodes together.

Known is positive, larger scores are surer, ties count half. Each measure comes with what every query adds to it (its
influence function), so that its variance is that of a mean: over episodes, and over test videos by the same way as an
accuracy's (`fsar.statistics.videos`). For AUROC these are DeLong's placement values (Biometrics 1988).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

RECALL = 0.95  # of known queries, at which FPR is taken
AROUND = 0.025  # recalls to either side, between which the slope of the ROC curve is taken


class Measured(NamedTuple):
    """One measure.

    Attributes:
        value: from 0 to 1.
        known: (n,) what each known query moves it by, n times; of mean zero.
        unknown: (m,) the same of each unknown one, m times.
    """

    value: float
    known: Values
    unknown: Values


def auroc(known: Values, unknown: Values, right: Mask) -> Measured:
    """Return the probability that a known query scores higher than an unknown one.

    Args:
        known: (n,) scores of known queries.
        unknown: (m,) of unknown ones.
        right: (n,) whether the known ones are classified rightly; it does not matter here.
    """
    return _above(known, unknown, np.ones(len(known)))


def oscr(known: Values, unknown: Values, right: Mask) -> Measured:
    """Return the area below the correct classification rate over the false positive rate.

    That is the probability that a known query is classified rightly and scores higher than an unknown one, at most the
    accuracy (Dhamija et al., NeurIPS 2018). Arguments as of `auroc`.
    """
    return _above(known, unknown, right.astype(np.float64))


def _above(known: Values, unknown: Values, weight: Values) -> Measured:
    """Return the mean weight of known queries in pairs in which they score higher than the unknown one."""
    of_known = weight * _below(known, unknown, np.ones(len(unknown))) / len(unknown)
    of_unknown = (weight.sum() - _below(unknown, known, weight)) / len(known)
    value = float(of_known.mean())
    return Measured(value, of_known - value, of_unknown - value)


def _below(scores: Values, others: Values, weight: Values) -> Values:
    """Return for each score the weight of the others below it; equal ones count half."""
    order = np.argsort(others, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(weight[order])])
    sides = (np.searchsorted(others[order], scores, side) for side in ("left", "right"))
    below, not_above = (sums[places] for places in sides)
    return np.asarray((below + not_above) / 2)


def _at_least(scores: Values, others: Values) -> Values:
    """Return for each score how many of the others are as high or higher."""
    return np.asarray(len(others) - np.searchsorted(np.sort(others), scores, "left"), np.float64)


def aupr(known: Values, unknown: Values, right: Mask) -> Measured:
    """Return the average precision: the mean, over known queries, of the share of known ones among all scored so high.

    It depends on how many unknown queries there are for a known one. Arguments as of `auroc`.
    """
    true, false = _at_least(known, known), _at_least(known, unknown)
    precision, square = true / (true + false), np.square(true + false)
    value = float(precision.mean())
    of_known = _up_to(known, known, false / square)
    of_unknown = -_up_to(unknown, known, true / square) * len(unknown) / len(known)
    return Measured(value, precision - value + of_known - of_known.mean(), of_unknown - of_unknown.mean())


def _up_to(scores: Values, others: Values, weight: Values) -> Values:
    """Return for each score the weight of the others that are not higher."""
    order = np.argsort(others, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(weight[order])])
    return np.asarray(sums[np.searchsorted(others[order], scores, "right")])


def fpr95(known: Values, unknown: Values, right: Mask) -> Measured:
    """Return the share of unknown queries that are taken for known where 95 % of the known ones are.

    What known queries add goes with the slope of the ROC curve there. Arguments as of `auroc`.
    """
    threshold = threshold_at(known, RECALL)
    passed, taken = (known >= threshold).astype(np.float64), (unknown >= threshold).astype(np.float64)
    rates = [float(np.mean(unknown >= threshold_at(known, RECALL + step))) for step in (-AROUND, AROUND)]
    slope = (rates[1] - rates[0]) / (2 * AROUND)
    return Measured(float(taken.mean()), -slope * (passed - passed.mean()), taken - taken.mean())


def threshold_at(known: Values, recall: float) -> float:
    """Return the largest threshold that at least this share of known scores reaches."""
    place = min(max(math.ceil(recall * len(known) - 1e-9), 1), len(known))
    return float(np.sort(known)[-place])


MEASURES: dict[str, Callable[[Values, Values, Mask], Measured]] = {
    "auroc": auroc,
    "aupr": aupr,
    "fpr95": fpr95,
    "oscr": oscr,
}


def oscr_curve(known: Values, unknown: Values, right: Mask) -> tuple[Values, Values]:
    """Return false positive rates, increasing from 0 to 1, and the correct classification rates there.

    At each score: the share of unknown queries that reach it, and the share of known ones that do and are right.
    """
    thresholds = np.unique(np.concatenate([known, unknown]))[::-1]
    taken = _at_least(thresholds, unknown) / len(unknown)
    correct = _at_least(thresholds, known[right]) / len(known)
    return np.concatenate([[0.0], taken]), np.concatenate([[0.0], correct])
