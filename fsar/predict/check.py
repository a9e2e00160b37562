"""How good a support set is: every example is left out in turn and labelled by the others."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from fsar.evaluation.statistics import CONFIDENCE
from fsar.predict.classifier import FewShotClassifier
from fsar.predict.decide import Decision

DRAWS = 20  # of the examples, for each number of shots of the learning curve


@dataclass(frozen=True)
class Check:
    """What leaving each example out shows.

    Attributes:
        tested: how many examples were left out; those that are the only one of their class are not among them.
        accuracy: the share that was labelled right.
        interval: its 95 % interval (Wilson, 1927), from low to high.
        confused: true class, label and how often, the most frequent first.
        suspects: examples that look mislabelled: path, class, label, and the probabilities of both.
        curve: see `learning_curve`.
    """

    tested: int
    accuracy: float
    interval: tuple[float, float]
    confused: pd.DataFrame
    suspects: pd.DataFrame
    curve: pd.DataFrame


def check_support(classifier: FewShotClassifier) -> Check:
    """Leave each example of a classifier out in turn; nothing is decoded or encoded again.

    Raises:
        UserError: there are no examples.
    """
    support, decision = classifier.support_set, classifier.decision
    device = decision.text.device
    features, labels = support.features.to(device), support.labels.to(device)
    logits = decision.left_out(features, labels)
    probabilities = decision.probabilities(logits).cpu().numpy()
    true = support.labels.numpy()
    tested = np.array([support.shots[label] > 1 for label in true], bool)
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == true)[tested].sum())
    count = int(tested.sum())
    names = support.class_names
    pairs = Counter((names[t], names[p]) for t, p in zip(true[tested], predicted[tested], strict=True) if t != p)
    confused = [(t, p, n) for (t, p), n in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))]
    found = mislabelled(probabilities, true, tested)
    suspects = [
        (support.paths[i], names[true[i]], names[j], probabilities[i, true[i]], probabilities[i, j]) for i, j in found
    ]
    return Check(
        tested=count,
        accuracy=right / count if count else float("nan"),
        interval=interval_of_share(right / count, count) if count else (0.0, 1.0),
        confused=pd.DataFrame(confused, columns=["class", "taken for", "clips"]),
        suspects=pd.DataFrame(suspects, columns=["path", "class", "label", "p(class)", "p(label)"]),
        curve=learning_curve(decision, features, labels),
    )


def interval_of_share(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` examples (Wilson, 1927), low and high."""
    z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return float(middle - half), float(middle + half)


def mislabelled(probabilities: np.ndarray, labels: np.ndarray, tested: np.ndarray) -> list[tuple[int, int]]:
    """Find examples whose label is probably wrong, by confident learning (Northcutt et al., JAIR 2021).

    An example looks like another class if that class is as probable for it as it is, on average, for its own examples.

    Args:
        probabilities: (V, N) with each example left out.
        labels: (V,) as given.
        tested: (V,) whether the example could be left out.

    Returns:
        The number of each suspect and of the class it looks like, the most suspect first.
    """
    classes = probabilities.shape[1]
    own = [probabilities[tested & (labels == label), label] for label in range(classes)]
    usual = np.array([each.mean() if len(each) else np.inf for each in own])
    found = []
    for number in np.flatnonzero(tested):
        like = int(np.where(probabilities[number] >= usual, probabilities[number], -1).argmax())
        looks = probabilities[number, like] >= usual[like]
        if looks and like != labels[number] and probabilities[number, like] > probabilities[number, labels[number]]:
            found.append((int(number), like))
    return sorted(found, key=lambda one: probabilities[one[0], labels[one[0]]] - probabilities[one])


def learning_curve(decision: Decision, features: Tensor, labels: Tensor, seed: int = 0) -> pd.DataFrame:
    """Return the accuracy for each number of shots that every class has examples for, beside the one that is tested.

    Args:
        decision: how labels are decided.
        features, labels: (V, T, D) and (V,) of the examples.
        seed: of the examples that are drawn.

    Returns:
        shots, accuracy, low and high (its 95 % interval over the examples); no row where a class has a single example,
        or where class names decide alone.
    """
    shots = torch.bincount(labels, minlength=len(decision.text))
    largest = int(shots.min()) - 1 if decision.decides_by != "text" else 0
    rng = np.random.default_rng(seed)
    rows = []
    for shot in range(1, largest + 1):
        accuracy = float(np.mean([_right(decision, features, labels, shot, rng) for _ in range(DRAWS)]))
        rows.append((shot, accuracy, *interval_of_share(accuracy, len(labels))))
    return pd.DataFrame(rows, columns=["shots", "accuracy", "low", "high"])


def _right(decision: Decision, features: Tensor, labels: Tensor, shot: int, rng: np.random.Generator) -> np.ndarray:
    """Return which examples are labelled right by `shot` others of each class, drawn at random: (V,)."""
    order = torch.from_numpy(rng.permutation(len(labels))).to(labels.device)
    own = [order[labels[order] == label] for label in range(len(decision.text))]
    # The first of each class's order; an example among them is replaced by the next when it is tested itself.
    few_shot = decision.few_shot(
        features, [decision.prototype(n, features[o[:shot]]) for n, o in enumerate(own)]
    ).clone()
    for label, members in enumerate(own):
        for place, number in enumerate(members[:shot].tolist()):
            others = torch.cat([members[:place], members[place + 1 : shot + 1]])
            prototype = decision.prototype(label, features[others])
            few_shot[number, label] = decision.few_shot(features[[number]], [prototype])[0, 0]
    return (decision.combine(few_shot, features).argmax(dim=1) == labels).cpu().numpy().astype(float)
