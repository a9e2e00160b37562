"""The threshold for "none of these" that the examples of a classifier give, each left out in turn."""

import numpy as np
from numpy.typing import NDArray

from fsar.errors import UserError
from fsar.predict.classifier import Classifier
from fsar.predict.prediction import UNKNOWN
from fsar.predict.threshold import Threshold, check_enough, measured


def estimate_threshold(classifier: Classifier, false_alarms: float | None = None) -> Threshold:
    """Estimate the threshold: the one at which the smaller of the shares kept and refused is as large as can be.

    Args:
        classifier: with its examples.
        false_alarms: instead, the share of clips of the classes that may be refused (`at_false_alarms`).

    Raises:
        UserError: there are too few examples for that share, or a class is called as unknown clips are.
    """
    known, unknown = left_out_nearness(classifier)
    if false_alarms is not None:
        if UNKNOWN in classifier.class_names:
            raise UserError(f"A class is called {UNKNOWN!r}, as clips of none of the classes are to be: rename it")
        check_enough(int(np.count_nonzero(~np.isnan(known))), false_alarms)
    return measured(known, unknown, false_alarms)


def left_out_nearness(classifier: Classifier) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return how near the label of each example is, left out by itself and with its whole class: (V,) each.

    By itself, its class should still be found, and with its class none of the others should be: then what decides has
    not seen that class at all. NaN where it is the only one of its class, and where there is no other class.
    """
    examples = classifier.labelled_examples
    if examples is None:
        return np.empty(0), np.empty(0)
    left_out, without = examples.left_out(), examples.without_class()
    several = examples.several
    near = examples.nearest(left_out, examples.few_shot(left_out, "leaving examples out"))
    known = np.where(several, near, np.nan)  # (V,)
    far = examples.nearest(without, examples.few_shot(without, "leaving classes out")) if without else near * np.nan
    return known, far
