""" "None of these": how near the nearest class must be, estimated from the examples by leaving them out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fsar.predict.classifier import FewShotClassifier

NOTHING = float("-inf")


@dataclass(frozen=True)
class Threshold:
    """The smallest logit with which a clip is said to show one of the classes.

    Attributes:
        logit: the threshold; −∞ where the examples do not suffice to estimate one, and every clip gets a class.
        kept: the share of examples, each left out, that are still said to show a class.
        refused: the share of examples that are said to show none of the classes once their own class is not there.
    """

    logit: float
    kept: float = float("nan")
    refused: float = float("nan")

    def describe(self) -> str:
        """Say how well it separates, for people."""
        if self.logit == NOTHING:
            return "No threshold for “none of these”: it takes two examples of a class. Every window gets a class."
        refused = (
            "" if np.isnan(self.refused) else f", and refuses {100 * self.refused:.0f} % where their class is missing"
        )
        return f"Threshold for “none of these”: it keeps {100 * self.kept:.0f} % of examples left out{refused}."


def estimate_threshold(classifier: FewShotClassifier) -> Threshold:
    """Estimate the threshold: the one at which the smaller of the shares kept and refused is as large as can be.

    Each example is left out twice: by itself, when its class should still be found, and with its whole class, when none
    of the others should be.
    """
    support, decision = classifier.support_set, classifier.decision
    if decision.decides_by == "text" or not len(support.features):
        return Threshold(NOTHING)
    features, labels = support.features.to(decision.text.device), support.labels.to(decision.text.device)
    logits = decision.left_out(features, labels).cpu().numpy()  # (V, N)
    several = np.array([support.shots[label] > 1 for label in support.labels.tolist()], bool)
    known = logits.max(axis=1)[several]
    others = logits.copy()
    others[np.arange(len(logits)), support.labels.numpy()] = -np.inf
    unknown = others.max(axis=1) if logits.shape[1] > 1 else np.empty(0)
    return separate(known, unknown)


def separate(known: NDArray[np.floating], unknown: NDArray[np.floating]) -> Threshold:
    """Return the threshold between the scores of what is known and of what is not.

    Args:
        known: scores of examples whose class is there.
        unknown: scores of examples whose class is not there; may be empty, and then all known ones are kept.
    """
    if not len(known):
        return Threshold(NOTHING)
    if not len(unknown):
        return Threshold(float(known.min()), 1.0)
    scores = np.unique(np.concatenate([known, unknown]).astype(float))
    between = np.concatenate([scores[:1] - 1, (scores[1:] + scores[:-1]) / 2])
    kept = (known[None, :] >= between[:, None]).mean(axis=1)
    refused = (unknown[None, :] < between[:, None]).mean(axis=1)
    best = int(np.lexsort((kept + refused, np.minimum(kept, refused)))[-1])
    return Threshold(float(between[best]), float(kept[best]), float(refused[best]))
