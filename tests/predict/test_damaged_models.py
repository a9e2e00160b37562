"""Damaged support sets, model folders and weights: a sentence that names the file, and nothing labelled by them."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, safe_open, save_file

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.errors import UserError
from fsar.predict.check import check_support
from fsar.predict.own_threshold import estimate_threshold
from fsar.predict.spot import Spotter
from fsar.predict.support import SUPPORT, SupportSet
from fsar.predict.threshold import NOTHING, Threshold
from fsar.seal import OPEN, seal
from tests.helpers.predicting import make_model, make_world
from tests.helpers.videos import make_video


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("damaged"))


@pytest.fixture(scope="module")
def classifier(world):
    return FewShotClassifier.load(world.model, device="cpu").support(world.examples)


@pytest.fixture(scope="module")
def saved(world, classifier):
    classifier.save(world.folder / "support.safetensors")
    return (world.folder / "support.safetensors").read_bytes()


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_support_set_is_told_or_is_whole(world, classifier, saved, data):
    content, before = bytearray(saved), classifier.support_set
    kind = data.draw(st.sampled_from(["flipped", "cut", "longer", "zeroed", "doubled"]))
    place = data.draw(
        st.one_of(st.integers(0, 4000), st.integers(0, len(content) - 1)).filter(lambda n: n < len(content))
    )
    length = data.draw(st.integers(1, 64))
    if kind == "flipped":
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del content[place:]
    elif kind == "longer":
        content += bytes(length)
    elif kind == "zeroed":
        content[place : place + length] = bytes(len(content[place : place + length]))
    else:
        content[place:place] = content[place : place + length]
    path = world.folder / "damaged.safetensors"
    path.write_bytes(content)
    try:
        found = SupportSet.read(path)
    except UserError as error:
        assert str(path) in str(error) and "Make it again" in str(error)
        return
    assert found.class_names == before.class_names and torch.equal(found.labels, before.labels)
    assert all(torch.equal(found.stored[name], each) for name, each in before.stored.items())


def rewritten(world, saved, about=None, **tensors):
    """Write the support set with other contents, as a program of one's own would: whole, but not right."""
    path = world.folder / "rewritten.safetensors"
    path.write_bytes(saved)
    with safe_open(path, framework="pt") as file:
        written = json.loads(file.metadata()[SUPPORT])
    kept = load_file(path) | tensors
    written = {**written, **(about or {}), "seal": OPEN}
    save_file(kept, path, metadata={SUPPORT: json.dumps(written)})
    seal(path)
    return path


@pytest.mark.parametrize(
    ("about", "tensors", "message"),
    [
        ({}, {"labels": torch.zeros(12, dtype=torch.int64)}, "a class has no example"),
        ({}, {"labels": torch.full((12,), -1)}, "a class has no example"),
        ({}, {"labels": torch.arange(12) % 4}, "a class has no example"),
        ({}, {"labels": torch.arange(12.0)}, "no numbers of classes"),
        ({}, {"labels": torch.arange(11) % 3}, "one clip for each label"),
        ({}, {"stored.frames": torch.full((12, 8, 128), torch.nan)}, "NaN or infinite"),
        ({}, {"stored.frames": torch.zeros(3, 8, 128)}, "the features of each clip"),
        ({}, {"text": torch.zeros(2, 128)}, "a text for each class"),
        ({}, {"text": torch.zeros(3)}, "a text for each class"),
        ({"class_names": ["a", "a", "b"]}, {}, "no different names"),
        ({"class_names": [1, 2, 3]}, {}, "no different names"),
        ({"class_names": None}, {}, "no different names"),
        ({"temperature": -1.0}, {}, "no positive number"),
        ({"temperature": float("nan")}, {}, "no positive number"),
        ({"text_scale": "ten"}, {}, "no positive number"),
        ({"provenance": {}}, {}, "how it decides"),
        ({"provenance": 3}, {}, "how it decides"),
        ({"paths": None}, {}, "Make it again"),
        ({"more": 1}, {}, "Make it again"),
    ],
)
def test_a_support_set_that_is_whole_but_not_right_is_told(world, classifier, saved, about, tensors, message):
    path = rewritten(world, saved, about, **tensors)
    with pytest.raises(UserError, match=rf"rewritten\.safetensors .*{message}"):
        classifier.load_support(path)


def test_what_is_no_support_set_is_told(world, classifier, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "deep.safetensors", metadata={SUPPORT: "[" * 100_000})
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "page.safetensors").write_text("<!doctype html>")
    for name in ("plain", "deep", "empty", "page", "missing"):
        with pytest.raises(UserError, match=rf"{name}\.safetensors.*(Make it|Run the command) again"):
            classifier.load_support(tmp_path / f"{name}.safetensors")
    with pytest.raises(UserError, match="Make it again"):
        classifier.load_support(tmp_path)


def described(model):
    return json.loads((model / "training.json").read_text())


DAMAGES = {
    "no seed": lambda about: about | {"data_seed": None},
    "a seed of text": lambda about: about | {"data_seed": "3"},
    "a negative seed": lambda about: about | {"data_seed": -1},
    "a huge width": lambda about: about | {"head": about["head"] | {"feed_forward": 10**9}},
    "a depth without end": lambda about: about | {"head": about["head"] | {"depth": 10**12}},
    "no components": lambda about: about | {"components": None},
    "another head": lambda about: about | {"components": about["components"] | {"head": "nothing"}},
    "a list": lambda about: [about],
    "nothing": lambda about: None,
    "a model of another name": lambda about: about | {"model": "no such"},
    "no videos": lambda about: about | {"videos": {}},
    "no frames": lambda about: about | {"sampling": about["sampling"] | {"frames": 0}},
    "a size without end": lambda about: about | {"frames": about["frames"] | {"size": 10**9}},
    "a library of text": lambda about: about | {"backbone": about["backbone"] | {"library": "os"}},
    "a backbone without end": lambda about: about | {"backbone": about["backbone"] | {"model": "x" * 10_000}},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_description_is_told(world, tmp_path, damage):
    shutil.copytree(world.model, tmp_path / "model")
    (tmp_path / "model" / "training.json").write_text(json.dumps(DAMAGES[damage](described(world.model))))
    with pytest.raises(UserError):
        FewShotClassifier.load(tmp_path / "model", device="cpu")


@pytest.mark.parametrize("text", ["[" * 100_000, "", "{", "\x00\x01", '{"a": ' * 50_000, "1e999", "NaN"])
def test_a_description_that_is_no_description_is_told(world, tmp_path, text):
    shutil.copytree(world.model, tmp_path / "model")
    (tmp_path / "model" / "training.json").write_text(text)
    with pytest.raises(UserError, match="It must describe a model"):
        FewShotClassifier.load(tmp_path / "model", device="cpu")


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_weights_are_told_or_load(world, tmp_path_factory, data):
    """A flipped bit of a number may leave another number; anything else is told."""
    folder = world.folder / "broken model"
    shutil.copytree(world.model, folder, dirs_exist_ok=True)
    content = bytearray((world.model / "model.safetensors").read_bytes())
    place = data.draw(st.integers(0, 3000))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place * len(content) // 3000 :]
    (folder / "model.safetensors").write_bytes(content)
    try:
        FewShotClassifier.load(folder, device="cpu")
    except UserError as error:
        assert "model.safetensors" in str(error)


def planted(world, folder, number):
    """A trained model with one weight that is no number, where every check of the file is passed by."""
    classifier = FewShotClassifier.load(make_model(folder, "clip-fsar"), device="cpu")
    classifier.support(world.examples)
    weight = next(iter(classifier.model.backbone.visual.parameters()))
    weight.data[(0,) * weight.dim()] = number
    return classifier


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_label(world, tmp_path, number):
    video = make_video(tmp_path / "long.mp4", 40, fps=10)
    broken = planted(world, world.folder, number)
    with pytest.raises(UserError, match=r"The model \(clip-fsar, small-clip\), looking at clips, gives .*NaN or inf"):
        broken.predict(video)
    with pytest.raises(UserError, match="NaN or inf"):
        list(Spotter(broken, 2.0, 1.0, Threshold(NOTHING)).windows(video))
    with pytest.raises(UserError, match="NaN or inf"):
        broken.support(world.examples)
    head = planted(world, world.folder, 0.0)
    weight = head.model.model.head.temporal_transformer.layers[0].norm.weight
    weight.data[(0,) * weight.dim()] = number
    for command in (check_support, estimate_threshold, lambda one: one.predict(video)):
        with pytest.raises(UserError, match="NaN or inf"):
            command(head)


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_told_by_every_command(world, tmp_path, number, capsys):
    shutil.copytree(world.model, tmp_path / "model")
    weights = load_file(world.model / "model.safetensors")
    name = next(name for name in weights if name.startswith("visual.") and weights[name].is_floating_point())
    weights[name].view(-1)[0] = number
    save_file(weights, tmp_path / "model" / "model.safetensors")
    video = make_video(tmp_path / "long.mp4", 20)
    options = ["--model", str(tmp_path / "model"), "--support", str(world.examples), "--device", "cpu"]
    for command in (["predict", str(video)], ["check"], ["spot", str(video), "--out", str(tmp_path)]):
        assert main([*command, *options]) == 1
        printed = capsys.readouterr()
        assert "model.safetensors" in printed.err and "NaN or" in printed.err and not printed.out


def test_scores_of_a_healthy_model_are_numbers(world, classifier):
    table = classifier.predict(world.examples)
    assert np.isfinite(table[classifier.class_columns].to_numpy()).all()
