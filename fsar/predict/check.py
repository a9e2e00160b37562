"""How good a support set is: every example is left out in turn and labelled by the others."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from fsar.predict.calibrate import fit_temperature
from fsar.predict.classifier import Classifier
from fsar.predict.leave_out import LabelledExamples, LeftOut
from fsar.predict.own_threshold import left_out_nearness
from fsar.predict.threshold import strangers
from fsar.statistics.intervals import interval_of_share, mean_and_interval

# Draws of the examples for each number of shots of the learning curve: where classes stand apart; where each draw
# compares all of them anew; and where each encodes all of them anew.
DRAWS, DRAWS_TOGETHER, DRAWS_ACROSS = 20, 5, 1
# How many labels are taken to be wrong before any clip is looked at. Of ten public data sets 3.3 % are, on average, of
# the worst 10 % (Northcutt et al., NeurIPS 2021, arXiv 2103.14749); nobody has gone over one's own examples yet.
WRONG = 0.1


@dataclass(frozen=True)
class Check:
    """How good the examples are, each left out in turn and labelled by the others.

    Attributes:
        tested: number of examples that were left out. An example that is the only one of its class is not.
        accuracy: the share of them that got the right label.
        interval: its 95 % interval (Wilson, 1927), from low to high.
        confused: true class, label and how often, the most frequent first.
        judged: whether labels could be judged: there are probabilities, and the examples label better than chance.
        suspects: examples that look mislabelled: path, class, label, and the probabilities of both.
        curve: accuracy by number of examples per class: `shots`, `accuracy`, and its interval from `low` to `high`.
        gain: what the last example of each class added to the accuracy, and the half-width of its 95 % interval; NaN
            if the curve has one row or none.
        strangers: how well clips of other classes would be recognised as unknown, each class left out in turn: AUROC,
            and the half-width of its 95 % interval over the examples; NaN if it is not known.

    Examples:
        >>> check = classifier.check()
        >>> check.curve["shots"].tolist()  # the accuracy with so many examples of each class
        [1, 2, 3]
    """

    tested: int
    accuracy: float
    interval: tuple[float, float]
    confused: pd.DataFrame
    judged: bool
    suspects: pd.DataFrame
    curve: pd.DataFrame
    gain: tuple[float, float]
    strangers: tuple[float, float] = (float("nan"), float("nan"))


def check_support(classifier: Classifier) -> Check:
    """Leave each example of a classifier out in turn; nothing is decoded again.

    Raises:
        UserError: there are no examples.
    """
    support, examples = classifier.support_set, classifier.examples_needed()
    left_out = examples.left_out()
    logits = examples.decided(left_out, examples.few_shot(left_out, "leaving examples out"))
    scores = classifier.scores(logits).numpy()
    true, tested = examples.labels, examples.several
    predicted = scores.argmax(axis=1)
    right, count = int((predicted == true)[tested].sum()), int(tested.sum())
    names = support.class_names
    pairs = Counter((names[t], names[p]) for t, p in zip(true[tested], predicted[tested], strict=True) if t != p)
    confused = [(t, p, n) for (t, p), n in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))]
    interval = interval_of_share(right / count, count) if count else (0.0, 1.0)
    suspects: list[tuple[str, str, str, float, float]] = []
    probabilities = probabilities_by_others(classifier.decision.scaled(logits).numpy(), true, tested)
    if judged := probabilities is not None and interval[0] > 1 / len(names):
        assert probabilities is not None
        suspects = [
            (support.paths[i], names[true[i]], names[j], probabilities[i, true[i]], probabilities[i, j])
            for i, j in mislabelled(probabilities, true, tested)
        ]
    curve, gain = learning_curve(examples)
    return Check(
        tested=count,
        accuracy=right / count if count else float("nan"),
        interval=interval,
        confused=pd.DataFrame(confused, columns=["class", "taken for", "clips"]),
        judged=judged,
        suspects=pd.DataFrame(suspects, columns=["path", "class", "label", "p(class)", "p(label)"]),
        curve=curve,
        gain=gain,
        strangers=strangers(*left_out_nearness(classifier)),
    )


def probabilities_by_others(
    logits: NDArray[np.floating], labels: NDArray[np.int64], several: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Return the probabilities of each example, (V, N), by the temperature that all others give.

    A label that is wrong makes the temperature high, and so its own class more probable.

    Args:
        logits: (V, N), each example left out of its class.
        labels: (V,).
        several: (V,) whether an example could be left out.

    Returns:
        None where there are too few examples (`fit_temperature`).
    """
    everyone = np.arange(len(labels))
    found = []
    for number in everyone:
        others = everyone != number
        temperature = fit_temperature(logits[others], labels[others], several[others])
        if temperature is None:
            return None
        found.append(softmax(logits[number].astype(float) / temperature))
    return np.array(found)


def mislabelled(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], tested: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Find examples whose label is more probably wrong than right.

    Of a label l, given to clips of other classes as often as `WRONG` says, Bayes' rule makes
    P(wrong | clip) ∝ WRONG · (1 − p_l) / (N − 1) and P(right | clip) ∝ (1 − WRONG) · p_l.

    Args:
        probabilities: (V, N) with each example left out, calibrated.
        labels: (V,) as given.
        tested: (V,) whether the example could be left out.

    Returns:
        The number of each suspect and of the class it looks like, the most suspect first.
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    wrong = WRONG * (1 - own) / max(classes - 1, 1)
    found = np.flatnonzero(tested & (wrong > (1 - WRONG) * own))
    return [
        (int(number), int(probabilities[number].argmax())) for number in found[np.argsort(own[found], kind="stable")]
    ]


def learning_curve(examples: LabelledExamples) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Return the accuracy for each number of shots that every class has examples for, beside the one that is tested.

    Returns:
        shots, accuracy, low and high (its 95 % interval over the examples); no row where a class has a single example,
        or where class names decide alone. And the gain of the last row over the one before, with the half-width of its
        95 % interval over the examples, each of which is its own comparison.
    """
    decision = examples.decision
    largest = min(map(len, examples.members)) - 1 if decision.decides_by != "text" else 0
    draws = DRAWS if decision.classes_apart else DRAWS_TOGETHER if decision.across is None else DRAWS_ACROSS
    rng = np.random.default_rng(0)
    rows, right = [], []
    for shot in range(1, largest + 1):
        queries = [one for _ in range(draws) for one in _drawn(examples, shot, rng)]
        logits = examples.decided(queries, examples.few_shot(queries, f"{shot} examples of each class"))
        hits = logits.argmax(dim=1).numpy().reshape(draws, -1) == examples.labels  # (draws, V)
        right.append(hits.mean(axis=0))
        accuracy = float(right[-1].mean())
        rows.append((shot, accuracy, *interval_of_share(accuracy, len(examples.labels))))
    gain = mean_and_interval(right[-1] - right[-2]) if len(right) > 1 else (float("nan"), float("nan"))
    return pd.DataFrame(rows, columns=["shots", "accuracy", "low", "high"]), gain


def _drawn(examples: LabelledExamples, shot: int, rng: np.random.Generator) -> list[LeftOut]:
    """Return each example as a query of `shot` others of each class: the first of a random order, without itself."""
    orders = [rng.permutation(own).tolist() for own in examples.members]
    classes = tuple(range(len(orders)))
    return [
        LeftOut(number, tuple(tuple([n for n in own if n != number][:shot]) for own in orders), classes)
        for number in range(len(examples.labels))
    ]
