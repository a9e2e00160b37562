"""How sure a method is that a query shows one of the classes, without a training for it: scores, larger is surer.

All are of what is stored of a query, so no test is made again for another score.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Values = NDArray[np.float64]

# The score that figures and rankings look at, where a head has learnt none. A probability says which class is ahead,
# not how near it is, as the demo shows (docs/unknown.md).
MAIN, LEARNT = "logit", "learnt"
MEANING = {
    "probability": "the largest probability: softmax of the logits",
    MAIN: "the largest logit",
    "margin": "the largest logit minus the second",
    "entropy": "minus the entropy of the probabilities",
    "nearness": "how near the nearest prototype is: minus its distance, or its similarity",
    "text": "the largest logit of the class names alone",
    LEARNT: "what a head has learnt from unknown queries in training",
}


def of_logits(logits: NDArray[np.floating]) -> dict[str, Values]:
    """Return the scores that logits give: (Q, N) → (Q,) each, by their names in `MEANING`."""
    values = np.asarray(logits, np.float64)
    log_probabilities = log_softmax(values, axis=-1)
    ordered = np.sort(values, axis=-1)
    second = ordered[:, -2] if values.shape[-1] > 1 else np.zeros(len(values))
    return {
        "probability": np.exp(log_probabilities.max(axis=-1)),
        MAIN: ordered[:, -1],
        "margin": ordered[:, -1] - second,
        "entropy": (np.exp(log_probabilities) * log_probabilities).sum(axis=-1),
    }


def known_scores(logits: NDArray[np.floating], further: Mapping[str, NDArray[np.floating]]) -> dict[str, Values]:
    """Return all scores of queries by name.

    Args:
        logits: (Q, N), by which they are decided.
        further: (Q,) each, the columns `nearness`, `text` and `known` of the predictions; NaN where a method has none.
    """
    found = of_logits(logits)
    for name, column in (("nearness", "nearness"), ("text", "text"), (LEARNT, "known")):
        values = np.asarray(further[column], np.float64)
        if not np.isnan(values).any():
            found[name] = values
    return found
