"""How good examples are: each left out in turn, against the plain way."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from fsar import FewShotClassifier
from fsar.cli.check import report
from fsar.cli.main import main
from fsar.config import HeadConfig
from fsar.model.methods import FROZEN, MODELS
from fsar.predict.check import check_support, interval_of_share, learning_curve, mislabelled
from fsar.predict.decide import Decision
from tests.heads import clip_fsar
from tests.predicting import CLASSES, SHOTS, make_world

WIDTH, FRAMES = 32, 4


def examples(shots, noise, seed=0):
    """Features of examples around a direction for each class: (V, T, D), with their labels."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(len(shots), FRAMES, WIDTH, generator=generator)
    labels = torch.repeat_interleave(torch.arange(len(shots)), torch.tensor(shots))
    return centres[labels] + noise * torch.randn(len(labels), FRAMES, WIDTH, generator=generator), labels


def decision(model="frozen", decides_by="few-shot", classes=3):
    torch.manual_seed(0)
    components = FROZEN if model == "frozen" else MODELS[model]
    head = clip_fsar(components, WIDTH, HeadConfig(feed_forward=16)).eval().requires_grad_(False)
    return Decision(head, decides_by, torch.randn(classes, WIDTH), 10.0)


@pytest.mark.parametrize("model", ["frozen", "clip-fsar", "trx"])
def test_leaving_out_is_what_it_says(model):
    features, labels = examples([4, 4, 4], noise=1.0)
    decide = decision(model)
    found = decide.left_out(features, labels)
    grouped = features.unflatten(0, (3, 4))
    for number, label in enumerate(labels.tolist()):
        rest = [place for place in range(4) if place != number - 4 * label]
        with torch.inference_mode():
            expected = decide.head.few_shot_logits(grouped[:, rest], features[[number]], decide.text)[0]
        torch.testing.assert_close(found[number], expected, rtol=1e-4, atol=1e-5)


def test_a_single_example_cannot_be_left_out():
    features, labels = examples([1, 3, 2], noise=0.1)
    logits = decision().left_out(features, labels)
    assert logits[0, 0] == -torch.inf and torch.isfinite(logits[1:]).all()
    assert (logits[1:].argmax(dim=1) == labels[1:]).all()


def test_one_mislabelled_example_is_found_and_no_other():
    features, labels = examples([5, 5, 5], noise=0.3)
    wrong = labels.clone()
    wrong[7] = 2  # is of class 1
    decide = decision()
    probabilities = decide.probabilities(decide.left_out(features, wrong)).numpy()
    assert mislabelled(probabilities, wrong.numpy(), np.ones(15, bool)) == [(7, 1)]
    probabilities = decide.probabilities(decide.left_out(features, labels)).numpy()
    assert mislabelled(probabilities, labels.numpy(), np.ones(15, bool)) == []


def test_more_examples_help_where_there_is_noise():
    features, labels = examples([9, 9, 10], noise=4.0)
    curve = learning_curve(decision(), features, labels)
    assert list(curve["shots"]) == list(range(1, 9))
    assert curve["accuracy"].iloc[-1] > curve["accuracy"].iloc[0] + 0.1
    assert ((curve["low"] < curve["accuracy"]) & (curve["accuracy"] < curve["high"])).all()
    pd.testing.assert_frame_equal(curve, learning_curve(decision(), features, labels))
    # With all examples it is the accuracy of leaving one out.
    features, labels = examples([4, 4, 4], noise=4.0)
    decide = decision()
    plain = (decide.left_out(features, labels).argmax(dim=1) == labels).float().mean()
    assert learning_curve(decide, features, labels)["accuracy"].iloc[-1] == pytest.approx(float(plain), abs=0.17)
    assert learning_curve(decision(decides_by="text"), features, labels).empty


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
