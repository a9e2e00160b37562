"""How well scores tell known from unknown queries: against scikit-learn, the published lines, and chance itself."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from fsar.statistics.unknown import MEASURES, aupr, auroc, fpr95, oscr, oscr_curve, threshold_at
from fsar.statistics.unknown_as_published import PUBLISHED
from tests.conftest import REPOSITORY

GOLDEN = np.load(REPOSITORY / "tests/golden/methods/openset_measures.npz")
# What the right denominator gives on the golden arrays (of the last none was published: by hand).
RIGHT_OSCR = {0: 0.0, 1: 0.39, 2: 0.46, 3: 0.17, 4: 0.75}


def golden(case):
    """Scores of known and unknown queries, and which known ones are right."""
    logits, scores, labels = (GOLDEN[f"in_{name}_{case}"] for name in ("logits", "scores", "labels"))
    known = labels >= 0
    return scores[known], scores[~known], (logits.argmax(axis=1) == labels)[known]


def drawn(rng, known=400, unknown=300):
    """Scores rounded, so that there are ties."""
    scores, others = rng.normal(1, 1, known).round(2), rng.normal(0, 1.3, unknown).round(2)
    return scores, others, rng.random(known) < 1 / (1 + np.exp(-scores))


@pytest.mark.parametrize("case", range(5))
def test_published_measures_equal_the_public_codes(case):
    for name, measure in PUBLISHED.items():
        assert measure(*golden(case)) == pytest.approx(float(GOLDEN[f"out_{name}_{case}"]), abs=1e-12), name
    assert oscr(*golden(case)).value == pytest.approx(RIGHT_OSCR[case], abs=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_measures_equal_those_of_scikit_learn(seed):
    known, unknown, right = drawn(np.random.default_rng(seed))
    truth, scores = np.r_[np.ones(len(known)), np.zeros(len(unknown))], np.r_[known, unknown]
    assert auroc(known, unknown, right).value == pytest.approx(roc_auc_score(truth, scores))
    assert aupr(known, unknown, right).value == pytest.approx(average_precision_score(truth, scores))
    rates, recalls, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert fpr95(known, unknown, right).value == pytest.approx(rates[recalls >= 0.95][0])
    # OSCR by its definition: known queries that are wrong reach no threshold, but count.
    pairs = (known[:, None] > unknown) + 0.5 * (known[:, None] == unknown)
    assert oscr(known, unknown, right).value == pytest.approx((right[:, None] * pairs).mean())
    taken, correct = oscr_curve(known, unknown, right)
    assert np.trapezoid(correct, taken) == pytest.approx(oscr(known, unknown, right).value)
    assert (taken[-1], correct[-1]) == (1, right.mean()) and (np.diff(taken) >= 0).all()


@pytest.mark.parametrize("name", MEASURES)
def test_what_queries_add_tells_how_far_a_measure_moves(name):
    """Over many draws of queries the measure varies as the influences of one draw say."""
    values, errors = [], []
    rng = np.random.default_rng(0)
    for _ in range(300):
        found = MEASURES[name](*drawn(rng))
        assert abs(found.known.mean()) < 1e-9 and abs(found.unknown.mean()) < 1e-9
        values.append(found.value)
        errors.append(found.known.var() / len(found.known) + found.unknown.var() / len(found.unknown))
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(values), rel=0.12)


def test_a_perfect_and_a_useless_score():
    right = np.array([True, True, False, True])
    known, unknown = np.array([3.0, 4.0, 5.0, 6.0]), np.array([1.0, 2.0])
    found = {name: measure(known, unknown, right).value for name, measure in MEASURES.items()}
    assert found == {"auroc": 1.0, "aupr": 1.0, "fpr95": 0.0, "oscr": 0.75}  # OSCR is at most the accuracy
    same = {name: measure(0 * known, 0 * unknown, right).value for name, measure in MEASURES.items()}
    assert same == {"auroc": 0.5, "aupr": 4 / 6, "fpr95": 1.0, "oscr": 0.375}


def test_a_threshold_keeps_at_least_the_recall():
    scores = np.arange(20.0)
    assert threshold_at(scores, 0.95) == 1 and threshold_at(scores, 0.951) == 0 and threshold_at(scores, 0.0) == 19
