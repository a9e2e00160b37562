"""How good examples are: each left out in turn, against the plain way."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from fsar import FewShotClassifier
from fsar.cli.check import report
from fsar.cli.main import main
from fsar.methods import MODELS
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs
from fsar.predict import check
from fsar.predict.calibrate import ENOUGH, fit_temperature
from fsar.predict.check import (
    _drawn,
    check_support,
    learning_curve,
    mislabelled,
    probabilities_by_others,
)
from fsar.predict.decide import Decision
from fsar.predict.leave_out import LabelledExamples
from fsar.statistics.intervals import interval_of_share
from tests.helpers.heads import PLAIN, clip_fsar
from tests.helpers.predicting import CLASSES, SHOTS, make_world
from tests.helpers.small_models import small_head

WIDTH, FRAMES = 32, 4


def examples(shots, noise, seed=0):
    """Features of examples around a direction for each class: (V, T, D), with their labels."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(len(shots), FRAMES, WIDTH, generator=generator)
    labels = torch.repeat_interleave(torch.arange(len(shots)), torch.tensor(shots))
    return centres[labels] + noise * torch.randn(len(labels), FRAMES, WIDTH, generator=generator), labels


def decision(model="frozen", decides_by="few-shot", classes=3):
    torch.manual_seed(0)
    parts = PLAIN if model == "frozen" else dict(MODELS[model].fixed)
    head = clip_fsar(WIDTH, **parts, feed_forward=16).eval().requires_grad_(False)
    return Decision(head, decides_by, torch.randn(classes, WIDTH), 10.0)


def examples_of(decide, features, labels):
    return LabelledExamples(decide, {"frames": features}, labels.numpy())


def left_out(examples):
    asked = examples.left_out()
    return examples.decided(asked, examples.few_shot(asked))


@pytest.mark.parametrize("decides_by", ["few-shot", "both", "text"])
@pytest.mark.parametrize("model", ["frozen", "clip-fsar", "trx"])
def test_leaving_out_is_what_it_says(model, decides_by):
    features, labels = examples([4, 4, 4], noise=1.0)
    decide = decision(model, decides_by)
    found = left_out(examples_of(decide, features, labels))
    grouped = features.unflatten(0, (3, 4))
    for number, label in enumerate(labels.tolist()):
        place = number - 4 * label
        rest = [other for other in range(4) if other != place]
        query = {"frames": features[[number]]}
        with torch.inference_mode():
            expected = decide.head.few_shot_logits(grouped[:, rest], features[[number]], decide.text)
            expected = decide.combine(None if decides_by == "text" else expected, query)[0]
        torch.testing.assert_close(found[number], expected, rtol=1e-4, atol=1e-5)


def test_a_single_example_cannot_be_left_out():
    features, labels = examples([1, 3, 2], noise=0.1)
    logits = left_out(examples_of(decision(), features, labels))
    assert logits[0, 0] == -torch.inf and torch.isfinite(logits[1:]).all()
    assert (logits[1:].argmax(dim=1) == labels[1:]).all()


@pytest.mark.parametrize("decides_by", ["few-shot", "both"])
@pytest.mark.parametrize("model", ["frozen", "clip-fsar"])
def test_a_class_taken_away_has_no_say(model, decides_by):
    """What is left is what a classifier without that class says."""
    features, labels = examples([3, 3, 3], noise=1.0)
    decide = decision(model, decides_by)
    whole = examples_of(decide, features, labels)
    asked = whole.without_class()
    found, near = whole.decided(asked, whole.few_shot(asked)), whole.nearest(asked, whole.few_shot(asked))
    for number, label in enumerate(labels.tolist()):
        others = [other for other in range(3) if other != label]
        two = Decision(decide.head, decides_by, decide.text[others], decide.text_scale)
        support = two.support({"frames": features}, [whole.members[other] for other in others])
        query = {"frames": features[[number]]}
        few_shot = two.few_shot(support, query)
        expected = two.combine(few_shot, query)
        torch.testing.assert_close(found[number, others], expected[0], rtol=1e-4, atol=1e-5)
        assert found[number, label] == -torch.inf
        best = int(expected.argmax())
        assert near[number] == pytest.approx(float(two.nearness(few_shot, query)[0, best]), rel=1e-4)


def suspects(decide, features, labels):
    whole = examples_of(decide, features, labels)
    logits = decide.scaled(left_out(whole)).numpy()
    found = probabilities_by_others(logits, whole.labels, whole.several)
    return mislabelled(found, whole.labels, whole.several)


def test_one_mislabelled_example_is_found_and_no_other():
    features, labels = examples([5, 5, 5], noise=0.3)
    wrong = labels.clone()
    wrong[7] = 2  # is of class 1
    assert suspects(decision(), features, wrong) == [(7, 1)]
    assert suspects(decision(), features, labels) == []


def test_right_labels_are_not_suspected_where_examples_say_little():
    """Of forty sets whose labels are right, but hard to tell: hardly any example may be named."""
    named = sum(len(suspects(decision(), *examples([6, 6, 6], noise=6.0, seed=seed))) for seed in range(40))
    assert named < 0.02 * 40 * 18


def test_more_examples_help_where_there_is_noise():
    features, labels = examples([9, 9, 10], noise=4.0)
    curve, (gain, half) = learning_curve(examples_of(decision(), features, labels))
    assert list(curve["shots"]) == list(range(1, 9))
    assert curve["accuracy"].iloc[-1] > curve["accuracy"].iloc[0] + 0.1
    assert ((curve["low"] < curve["accuracy"]) & (curve["accuracy"] < curve["high"])).all()
    assert gain == pytest.approx(curve["accuracy"].diff().iloc[-1]) and half > 0
    pd.testing.assert_frame_equal(curve, learning_curve(examples_of(decision(), features, labels))[0])
    assert learning_curve(examples_of(decision(decides_by="text"), features, labels))[0].empty


def test_the_curve_ends_where_all_others_are_asked():
    """With as many examples as there are beside the one that is tested, no draw is left: exactly K − 1 of its class."""
    features, labels = examples([4, 4, 4], noise=4.0)
    whole = examples_of(decision(), features, labels)
    rng = np.random.default_rng(0)
    for one in _drawn(whole, 3, rng):
        own = one.members[whole.labels[one.number]]
        assert set(own) == set(whole.members[whole.labels[one.number]]) - {one.number}
        assert all(len(members) == 3 for members in one.members)


@pytest.mark.parametrize("model", ["hyrsm", "clip-fsar"])
def test_what_has_the_same_examples_is_asked_together_and_the_same(model):
    """Calls that are shared give what each by itself gives."""
    features, labels = examples([3, 2, 4], noise=1.0)
    torch.manual_seed(0)
    components = MODELS[model]
    head = build_head(components, Inputs(WIDTH, FRAMES), small_head(components)).eval().requires_grad_(False)
    decide = Decision(head, "few-shot", torch.randn(3, WIDTH))
    whole = examples_of(decide, features, labels)
    asked = whole.left_out() + whole.without_class()
    for one, found in zip(asked, whole.few_shot(asked), strict=True):
        support = decide.support(whole.stored, one.members, one.classes)
        alone = decide.few_shot(support, {"frames": features[[one.number]]})[0]
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-4)


def test_the_temperature_makes_probabilities_of_scores():
    rng = np.random.default_rng(0)
    count, classes = 600, 4
    truth = rng.normal(size=(count, classes))
    probabilities = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in probabilities])
    several = np.ones(count, bool)
    for factor in (0.01, 1.0, 50.0):  # logits of other methods are larger or smaller
        assert fit_temperature(factor * truth, labels, several) == pytest.approx(factor, rel=0.15)
    # A small set without a mistake is not certain; one that says nothing has all classes alike.
    sure = fit_temperature(5.0 * np.eye(3)[np.arange(12) % 3], np.arange(12) % 3, several[:12])
    right = np.exp(5 / sure) / (np.exp(5 / sure) + 2)
    assert right == pytest.approx((12 + 1 / 3) / 13, abs=0.01)
    assert fit_temperature(rng.normal(size=(400, 3)), rng.integers(3, size=400), several[:400]) > 5
    assert fit_temperature(truth[: ENOUGH - 1], labels[: ENOUGH - 1], several[: ENOUGH - 1]) is None
    assert fit_temperature(truth[:ENOUGH], labels[:ENOUGH], several[:ENOUGH]) is not None
    several[3] = False
    assert fit_temperature(truth, labels, several) is None


@pytest.mark.parametrize(("right", "count"), [(0, 4), (3, 10), (7, 7)])
def test_the_interval_is_wilsons(right, count):
    expected = stats.binomtest(right, count).proportion_ci(0.95, "wilson")
    assert interval_of_share(right / count, count) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_command_reports_on_examples(tmp_path, capsys):
    world = make_world(tmp_path)
    shutil.copytree(world.examples / CLASSES[0], tmp_path / "more" / "a")
    shutil.copytree(world.examples / CLASSES[0], tmp_path / "more" / "b")  # the same clips: they must be confused
    arguments = ["--model", "small-clip", "--weights", str(world.backbone), "--device", "cpu"]
    files = ["--support", str(tmp_path / "more"), "--csv", str(tmp_path / "suspects.csv")]
    assert main(["check", *files, *arguments]) == 0
    printed = capsys.readouterr().out
    assert f"of {2 * SHOTS} (95 % interval" in printed and "chance 50.0 %" in printed
    assert "Accuracy by examples per class:\n  1: " in printed
    classifier = FewShotClassifier("small-clip", str(world.backbone), device="cpu").support(tmp_path / "more")
    found = check_support(classifier)
    assert found.tested == 2 * SHOTS and len(found.confused)
    assert report(found, classifier.class_names) == printed.rstrip("\n")
    assert list(pd.read_csv(tmp_path / "suspects.csv")["path"]) == list(found.suspects["path"])
    single = classifier.support({name: [next((world.examples / name).iterdir())] for name in CLASSES})
    assert report(check_support(single), single.class_names).startswith("Every class has a single example")


def test_what_is_confused_most_often_comes_first(monkeypatch):
    """By class and label, counted; of equals in the order of their names."""
    monkeypatch.setattr(check, "learning_curve", lambda examples: (pd.DataFrame(), (0.0, 0.0)))
    monkeypatch.setattr(check, "left_out_nearness", lambda classifier: (np.empty(0), np.empty(0)))
    taken = [(0, 1)] * 1 + [(1, 2)] * 3 + [(2, 0)] * 3 + [(0, 0)] * 2
    labels, predicted = (np.array(each) for each in zip(*taken, strict=True))
    logits = torch.eye(3)[predicted]
    examples = SimpleNamespace(
        labels=labels,
        several=np.ones(len(labels), bool),
        left_out=lambda: [],
        few_shot=lambda *_: [],
        decided=lambda *_: logits,
    )
    support = SimpleNamespace(class_names=["a", "b", "c"], paths=[f"{n}.mp4" for n in range(len(labels))])
    decision = SimpleNamespace(scaled=lambda given: given)
    classifier = SimpleNamespace(
        support_set=support, examples_needed=lambda: examples, scores=lambda given: given, decision=decision
    )
    found = check.check_support(classifier)
    assert found.confused.values.tolist() == [["b", "c", 3], ["c", "a", 3], ["a", "b", 1]]
    assert (found.tested, found.accuracy) == (9, 2 / 9)


@pytest.mark.parametrize("decides_by", ["few-shot", "text", "both"])
@pytest.mark.parametrize("parts", [PLAIN, {}], ids=["frozen", "trained"])
def test_nearness_is_what_is_decided_by_before_classes_are_held_against_one_another(parts, decides_by):
    """It differs from the logits by one number for each clip, whatever the class; and grows with what it is made of."""
    torch.manual_seed(4)
    head = clip_fsar(16, 5, **parts, heads=2, feed_forward=8).eval()
    decision = Decision(head, decides_by, torch.randn(3, 16), text_scale=40.0)
    asked, few_shot = {"frames": torch.randn(6, 5, 16)}, -10 * torch.rand(6, 3)
    apart = decision.nearness(few_shot, asked) - decision.combine(few_shot, asked)
    torch.testing.assert_close(apart, apart[:, :1].expand(-1, 3), rtol=1e-4, atol=1e-4)
    nearer = decision.nearness(few_shot + 1, asked) - decision.nearness(few_shot, asked)
    assert (nearer > 0).all() == (decides_by != "text")
