"""Clips of none of the classes: the threshold at a stated rate of false alarms, and how well strangers are told."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.errors import UserError
from fsar.predict.check import check_support
from fsar.predict.clips import list_clips
from fsar.predict.own_threshold import estimate_threshold, left_out_nearness
from fsar.predict.results import write_predictions
from fsar.predict.threshold import NOTHING, at_false_alarms, measured, strangers
from tests.helpers.predicting import CLASSES, SHOTS, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("unknown"))


@pytest.fixture
def classifier(world):
    return FewShotClassifier.load(world.model, device="cpu").support(world.examples)


def test_a_threshold_refuses_no_more_than_it_says():
    """Over many draws of examples and one clip more, and nearly as many as it may where that is possible."""
    rng = np.random.default_rng(0)
    for count, rate in ((9, 0.1), (25, 0.1), (40, 0.2)):
        draws = rng.normal(size=(4000, count + 1))
        refused = np.mean([one[-1] < at_false_alarms(one[:-1], rate) for one in draws])
        assert refused <= rate + 0.015 and refused > np.floor(rate * (count + 1)) / (count + 1) - 0.015
    assert at_false_alarms(np.zeros(8), 0.1) == NOTHING and at_false_alarms(np.empty(0), 1.0) == NOTHING


def test_what_it_does_is_measured_where_it_was_not_set():
    known, unknown = np.arange(20.0), np.full(20, -1.0)
    found = measured(known, unknown, 0.1)
    assert found.nearness == 1.0 and found.refused == 1.0 and found.kept == 0.9
    assert "keeps 90 %" in found.describe() and "refuses 100 %" in found.describe()


def test_strangers_are_told_by_each_class_left_out(classifier):
    known, unknown = left_out_nearness(classifier)
    auroc, half = strangers(known, unknown)
    truth = np.r_[np.ones(len(known)), np.zeros(len(unknown))]
    assert auroc == pytest.approx(roc_auc_score(truth, np.r_[known, unknown])) and half > 0
    assert check_support(classifier).strangers == (auroc, half)
    assert np.isnan(strangers(known, unknown * np.nan)).all()


def test_clips_below_the_threshold_are_unknown_on_the_page_and_in_python(classifier, world, tmp_path):
    clips = list_clips(world.examples)
    plain = classifier.predict(world.examples)
    found = classifier.threshold = estimate_threshold(classifier, 0.3)
    near = [float(classifier.decide(classifier.encode(classifier.model.read(c).unsqueeze(0)))[2].max()) for c in clips]
    table = classifier.predict(world.examples)
    unknown = np.array(near) < found.nearness
    assert ((table["label"] == "unknown") == unknown).all()
    assert (table["label"][~unknown] == plain["label"][~unknown]).all()
    columns = [name for name in table if name != "label"]
    assert table[columns].equals(plain[columns])
    classifier.threshold = type(found)(float(np.median(near)))
    write_predictions(classifier, clips, page=tmp_path / "a.html", as_json=tmp_path / "a.json")
    labels = [one["label"] for one in json.loads((tmp_path / "a.json").read_text())]
    page = (tmp_path / "a.html").read_text()
    assert 0 < labels.count("unknown") < len(clips) and page.count("<h3>unknown</h3>") == labels.count("unknown")
    assert "<option>unknown</option>" in page and "not near enough to any class" in page
    # Other examples have no threshold yet.
    assert classifier.support(world.examples).threshold.nearness == NOTHING


def test_too_few_examples_or_a_class_of_that_name(world, classifier):
    with pytest.raises(UserError, match=r"takes 99 examples .*, and there are 12: .*or state 0.0769 or more"):
        estimate_threshold(classifier, 0.01)
    with pytest.raises(UserError, match="state a share above 0"):
        estimate_threshold(classifier, 0.0)
    examples = {name: sorted((world.examples / name).iterdir()) for name in CLASSES}
    named = {"unknown" if name == CLASSES[0] else name: own for name, own in examples.items()}
    with pytest.raises(UserError, match="A class is called 'unknown'"):
        estimate_threshold(classifier.support(named), 0.1)


def test_the_commands_say_it(world, tmp_path, capsys):
    options = ["--model", str(world.model), "--device", "cpu", "--support", str(world.examples)]
    clip = str(list_clips(world.examples)[0].path)
    assert main(["predict", clip, *options, "--unknown", "0.99"]) == 0
    printed = capsys.readouterr()
    assert ": unknown, nearest " in printed.out and "Threshold for “none of these”" in printed.err
    assert main(["check", *options, "--json", str(tmp_path / "check.json")]) == 0
    assert "Strangers, each class in turn" in capsys.readouterr().out
    assert 0 <= json.loads((tmp_path / "check.json").read_text())["strangers_auroc"] <= 1
    assert main(["predict", clip, "--model", str(world.model), "--unknown", "--names", "a", "b"]) == 1
    assert "Names alone tell no threshold" in capsys.readouterr().err
    assert len(CLASSES) * SHOTS == 12
    with pytest.raises(SystemExit):
        main(["predict", "--unknown", "clip.mp4", *options])
    assert "a clip stands before the option" in capsys.readouterr().err
