""" "None of these": how near the nearest class must be, estimated from the examples by leaving them out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fsar.errors import UserError
from fsar.statistics.intervals import mean_and_interval
from fsar.statistics.unknown import auroc

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


def strangers(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> tuple[float, float]:
    """Return how well clips of other classes would be told from those of the classes: AUROC, from 0 to 1.

    Args:
        known, unknown: of `left_out_nearness`; the examples of each class are strangers to the others.

    Returns:
        the AUROC, and the half-width of its 95 % interval over the examples; NaN where it is not known.
    """
    both = ~(np.isnan(known) | np.isnan(unknown))
    if both.sum() < 2:
        return float("nan"), float("nan")
    own, other = (each[both].astype(float) for each in (known, unknown))
    found = auroc(own, other, np.ones(len(own), bool))
    return mean_and_interval(found.value + found.known + found.unknown)


def measured(
    known: NDArray[np.floating], unknown: NDArray[np.floating], false_alarms: float | None = None
) -> Threshold:
    """Return the threshold of all examples, with what the thresholds of all but one do to that one.

    Args:
        known: (V,) nearness of each example whose class is there; NaN where it is the only one of its class.
        unknown: (V,) of the same example once its class is not there; NaN where there is no other class.
        false_alarms: see `estimate_threshold`.
    """

    def separated(own_known: NDArray[np.floating], own_unknown: NDArray[np.floating]) -> float:
        own = own_known[~np.isnan(own_known)]
        if false_alarms is not None:
            return at_false_alarms(own, false_alarms)
        return separate(own, own_unknown[~np.isnan(own_unknown)])

    whole = separated(known, unknown)
    if whole == NOTHING:
        return Threshold(NOTHING)
    kept, refused = [], []
    for number in range(len(known)):
        others = np.arange(len(known)) != number
        threshold = separated(known[others], unknown[others])
        if threshold == NOTHING:
            continue
        if not np.isnan(known[number]):
            kept.append(known[number] >= threshold)
        if not np.isnan(unknown[number]):
            refused.append(unknown[number] < threshold)
    return Threshold(whole, *(float(np.mean(share)) if share else float("nan") for share in (kept, refused)))


def at_false_alarms(known: NDArray[np.floating], false_alarms: float) -> float:
    """Return the largest threshold below which at most a share of further clips of the classes is expected.

    Of n examples and one more, each is as likely to be the k-th lowest. So below the k-th lowest of n is a further one
    with probability k / (n + 1) at most (Vovk et al., Algorithmic Learning in a Random World, 2005).

    Args:
        known: (n,) nearness of examples left out.
        false_alarms: the share, from 0 to 1.

    Returns:
        The threshold; −∞ where n is too small for any but none to be refused.
    """
    place = int(np.floor(false_alarms * (len(known) + 1) + 1e-9))
    return float(np.sort(known)[min(place, len(known)) - 1]) if place and len(known) else NOTHING


def check_enough(examples: int, false_alarms: float) -> None:
    """Check that so many examples left out can tell a share of false alarms; raises UserError."""
    if at_false_alarms(np.zeros(examples), false_alarms) > NOTHING:
        return
    needed = int(np.ceil(1 / false_alarms - 1e-9)) - 1 if false_alarms else 0
    if not needed:
        raise UserError("A threshold that refuses no clip of the classes refuses none at all: state a share above 0")
    least = f", or state {1 / (examples + 1):.3g} or more" if examples else ""
    raise UserError(
        f"To refuse at most {100 * false_alarms:g} % of the clips of the classes takes {needed} examples that others "
        f"of their class can stand for, and there are {examples}: give more examples{least}"
    )


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
