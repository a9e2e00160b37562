"""Every method × every command on clips of one's own × what decides × one to four examples of each class."""

import numpy as np
import pandas as pd
import pytest

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.errors import UserError
from fsar.methods import METHODS, trained_as
from fsar.model import open_clip_backbone
from fsar.predict import check
from fsar.predict import model as labelling
from fsar.predict.check import check_support
from fsar.predict.clips import list_clips
from fsar.predict.own_threshold import estimate_threshold, left_out_nearness
from fsar.predict.spot import Spotter
from fsar.predict.threshold import NOTHING, Threshold
from tests.helpers.predicting import CLASSES, SHOTS, make_clip, make_model, make_world
from tests.helpers.videos import make_video


def once(function):
    """Return a function that is asked hundreds of times here, and gives what it gave for the same arguments."""
    given = {}

    def ask(*arguments, **named):
        key = repr((arguments, named))
        if key not in given:
            given[key] = function(*arguments, **named)
        return given[key]

    return ask


def encoded_once(model, clip, joint, encode=labelling.LabellingModel._encode):
    """Encode a clip, or return what came of it before: each number of examples has those of the smaller ones."""
    seen = vars(model).setdefault("seen", {})
    key = clip.numpy().tobytes(), joint
    if key not in seen:
        seen[key] = encode(model, clip, joint)
    return seen[key]


ONCE = [(open_clip_backbone, "_tokenizer"), (labelling, "read_clip"), (labelling, "load_backbone")]
ASKED = [(module, name, once(getattr(module, name))) for module, name in ONCE]
# How many examples the classes have; names count the same whatever examples there are.
EVEN = [(n,) * len(CLASSES) for n in (1, 2, SHOTS)]
COUNTS = {"few-shot": [*EVEN, (1, 2, 4)], "both": [EVEN[0], EVEN[-1], (1, 2, 4)], "text": [EVEN[0], (1, 2, 4)]}
INDUCTIVE = [name for name, method in METHODS.items() if method.inductive]
# One of each head, or adapters, that there is.
KINDS = {(parts.head, parts.adapters): name for name in INDUCTIVE[::-1] if (parts := METHODS[name].components)}
TOGETHER = [name for name, method in METHODS.items() if not method.inductive]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("every"))


@pytest.fixture(scope="module")
def video(world):
    return make_video(world.folder / "long.mp4", 40, fps=10)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Of the learning curve, which is tested by itself; and what is the same for all is made once."""
    for module, name, ask in ASKED:
        monkeypatch.setattr(module, name, ask)
    monkeypatch.setattr(labelling.LabellingModel, "_encode", encoded_once)
    for name in ("DRAWS", "DRAWS_TOGETHER", "DRAWS_ACROSS"):
        monkeypatch.setattr(check, name, 1)


def loaded(world, method, decides_by=None):
    if METHODS[method].components.needs_training:
        trained = trained_as(METHODS[method].model)
        return FewShotClassifier.load(make_model(world.folder, trained), method, decides_by, "cpu")
    return FewShotClassifier("small-clip", str(make_clip(world.folder)), method, decides_by, "cpu")


def ways_of(model):
    """Ways to decide by a model: an encoder of video without text takes examples alone."""
    return list(COUNTS) if model.backbone.has_text else ["few-shot"]


def examples(world, counts):
    return {name: sorted((world.examples / name).iterdir())[:n] for name, n in zip(CLASSES, counts, strict=True)}


def look_at(classifier, clips, video, counts):
    """Predict, check and spot; check what has to hold of all."""
    table = classifier.predict(clips)
    assert table["label"].isin(CLASSES).all() and (table["reason"] == "").all()
    scores = table[classifier.class_columns].to_numpy()
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    threshold = estimate_threshold(classifier)
    windows = list(Spotter(classifier, 2.0, 1.0, threshold, smooth=3).windows(video))
    assert len(windows) == 3 and all(np.isfinite([one.nearness, *one.scores]).all() for one in windows)
    if not counts:
        assert threshold.nearness == NOTHING
        return
    found = check_support(classifier)
    several = sum(n for n in counts if n > 1) if classifier.decides_by != "text" else sum(counts)
    assert found.tested == several and (several == 0 or 0 <= found.accuracy <= 1)
    assert len(found.curve) == (min(counts) - 1 if classifier.decides_by != "text" else 0)
    assert np.isfinite(threshold.nearness) == bool(several)
    assert np.isfinite(found.strangers[0]) == (several > 1)
    if several > 3:
        classifier.threshold = estimate_threshold(classifier, 0.25)
        near = left_out_nearness(classifier)[0]
        assert np.isfinite(classifier.threshold.nearness) and np.nanmean(near < classifier.threshold.nearness) <= 0.25
        assert set(classifier.predict(clips)["label"]) <= {*CLASSES, "unknown"}
        classifier.threshold = Threshold(np.inf)
        assert set(classifier.predict(clips)["label"]) == {"unknown"}


@pytest.mark.parametrize("method", INDUCTIVE)
def test_every_method_labels_checks_and_spots(world, video, method):
    clips = [sorted((world.examples / name).iterdir())[-1] for name in CLASSES[:2]]
    model = loaded(world, method).model
    for decides_by in ways_of(model):
        classifier = FewShotClassifier(model, decides_by=decides_by, device="cpu")
        for counts in COUNTS[decides_by]:
            look_at(classifier.support(examples(world, counts)), clips, video, counts)
            assert classifier.decides_by == decides_by
    if model.backbone.has_text:
        look_at(FewShotClassifier(model, device="cpu").support(list(CLASSES)), clips, video, None)


@pytest.mark.parametrize("method", KINDS.values())
def test_a_saved_support_set_says_the_same(world, method, tmp_path):
    clips = [sorted((world.examples / name).iterdir())[-1] for name in CLASSES]
    model = loaded(world, method).model
    for decides_by in [way for way in ways_of(model) if way != "text"]:
        before = FewShotClassifier(model, decides_by=decides_by, device="cpu").support(examples(world, (3, 3, 4)))
        before.save(tmp_path / "a.safetensors")
        after = FewShotClassifier(model, device="cpu").load_support(tmp_path / "a.safetensors")
        assert after.decides_by == decides_by and after.temperature == before.temperature
        pd.testing.assert_frame_equal(after.predict(clips), before.predict(clips))


@pytest.mark.parametrize("method", KINDS.values())
def test_the_commands_take_every_head(world, video, method, tmp_path, capsys):
    if METHODS[method].components.trained:
        model = ["--model", str(make_model(world.folder, METHODS[method].model))]
    else:
        model = ["--model", "small-clip", "--weights", str(make_clip(world.folder))]
    decides_by = "few-shot" if METHODS[method].components.for_video else "both"
    options = [*model, "--method", method, "--device", "cpu", "--decide-by", decides_by]
    options += ["--support", str(world.examples)]
    assert main(["check", *options, "--csv", str(tmp_path / "suspects.csv"), "--frames", "drawn"]) == 0
    clip = str(list_clips(world.examples)[0].path)
    assert main(["predict", clip, *options, "--csv", str(tmp_path / "x.csv"), "--html", str(tmp_path / "x.html")]) == 0
    windows = ["--stride", "1", "--smooth", "3", "--shortest", "0.5", "--frames", "drawn"]
    refusing = ["--unknown", "0.3", "--json", str(tmp_path / "unknown.json")]
    assert main(["predict", clip, *options, *refusing]) == 0
    assert main(["spot", str(video), *options, "--out", str(tmp_path), *windows]) == 0
    printed = capsys.readouterr()
    assert "Accuracy with each example left out" in printed.out and "Threshold for" in printed.err
    assert len(pd.read_csv(tmp_path / "long.windows.csv")) == 3 and (tmp_path / "x.html").stat().st_size


@pytest.mark.parametrize("method", TOGETHER)
def test_what_decides_by_all_queries_together_names_what_does_not(world, method):
    with pytest.raises(UserError, match=r"cannot label single clips: label them by (task-adapter|clip-spm)$"):
        loaded(world, method)


def test_classes_of_different_sizes_are_made_even_where_they_are_compared_with_one_another(world):
    """A class's two examples taken twice are what four are."""
    clips = [sorted((world.examples / name).iterdir())[-1] for name in CLASSES]
    classifier = loaded(world, "hyrsm")
    uneven = examples(world, (2, 4, 4))
    twice = {**uneven, CLASSES[0]: uneven[CLASSES[0]] * 2}
    found = [[one.logits for one in classifier.support(e).predictions(list_clips(clips))] for e in (uneven, twice)]
    np.testing.assert_allclose(*found, rtol=1e-5)
