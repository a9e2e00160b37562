""" "None of these": how near the nearest class must be, estimated from the examples by leaving them out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fsar.predict.classifier import Classifier

NOTHING = float("-inf")


@dataclass(frozen=True)
class Threshold:
    """The smallest nearness (`Decision.nearness`) with which a clip is said to show one of the classes.

    Attributes:
        nearness: the threshold; −∞ where the examples do not suffice to estimate one, and every clip gets a class.
        kept: the share of examples, each left out, that are still said to show a class.
        refused: the share of examples that are said to show none of the classes once their own class is not there.

    Both shares are measured for each example by the threshold that the others give; NaN where they are not known.
    """

    nearness: float
    kept: float = float("nan")
    refused: float = float("nan")

    def describe(self) -> str:
        """Say how well it separates, for people."""
        if self.nearness == NOTHING:
            return "No threshold for “none of these”: it takes two examples of a class. Every window gets a class."
        if np.isnan(self.kept):
            return "Threshold for “none of these”: too few examples to say how well it divides."
        refused = (
            "" if np.isnan(self.refused) else f", and refuses {100 * self.refused:.0f} % where their class is missing"
        )
        return (
            f"Threshold for “none of these”: set by the other examples, it keeps {100 * self.kept:.0f} % of examples "
            f"left out{refused}."
        )


def estimate_threshold(classifier: Classifier) -> Threshold:
    """Estimate the threshold: the one at which the smaller of the shares kept and refused is as large as can be.

    Each example is left out twice: by itself, when its class should still be found, and with its whole class, when none
    of the others should be. Then what decides has not seen that class at all.
    """
    examples = classifier.labelled_examples
    if examples is None:
        return Threshold(NOTHING)
    left_out, without = examples.left_out(), examples.without_class()
    several = examples.several
    near = examples.nearest(left_out, examples.few_shot(left_out, "leaving examples out"))
    known = np.where(several, near, np.nan)  # (V,)
    far = examples.nearest(without, examples.few_shot(without, "leaving classes out")) if without else near * np.nan
    return measured(known, far)


def measured(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> Threshold:
    """Return the threshold of all examples, with what the thresholds of all but one do to that one.

    Args:
        known: (V,) nearness of each example whose class is there; NaN where it is the only one of its class.
        unknown: (V,) of the same example once its class is not there; NaN where there is no other class.
    """
    whole = separate(known[~np.isnan(known)], unknown[~np.isnan(unknown)])
    if whole == NOTHING:
        return Threshold(NOTHING)
    kept, refused = [], []
    for number in range(len(known)):
        others = np.arange(len(known)) != number
        own_known, own_unknown = known[others], unknown[others]
        threshold = separate(own_known[~np.isnan(own_known)], own_unknown[~np.isnan(own_unknown)])
        if threshold == NOTHING:
            continue
        if not np.isnan(known[number]):
            kept.append(known[number] >= threshold)
        if not np.isnan(unknown[number]):
            refused.append(unknown[number] < threshold)
    return Threshold(whole, *(float(np.mean(share)) if share else float("nan") for share in (kept, refused)))


def separate(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> float:
    """Return the threshold that divides what is known from what is not with the fewest errors on the worse side.

    Args:
        known: nearness of examples whose class is there.
        unknown: of examples whose class is not there; may be empty, and then all known ones are kept.

    Returns:
        The threshold; −∞ where nothing is known.
    """
    if not len(known):
        return NOTHING
    if not len(unknown):
        return float(known.min())
    scores = np.unique(np.concatenate([known, unknown]).astype(float))
    between = np.concatenate([scores[:1] - 1, (scores[1:] + scores[:-1]) / 2, scores[-1:] + 1])
    kept = (known[None, :] >= between[:, None]).mean(axis=1)
    refused = (unknown[None, :] < between[:, None]).mean(axis=1)
    # Of equals the one with the larger sum, and of these the lowest.
    worse, total = np.minimum(kept, refused), kept + refused
    return float(between[np.flatnonzero((worse == worse.max()) & (total == total[worse == worse.max()].max()))[0]])
