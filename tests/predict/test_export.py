"""Models that travel: exported, loaded again where nothing else of the project's is."""

import json
import shutil
from dataclasses import replace

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
import torch

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.errors import UserError
from fsar.model.open_clip_backbone import architecture_name
from fsar.predict.settings import read_settings
from tests.helpers.predicting import CLASSES, make_model, make_world
from tests.helpers.small_video import small_bert, small_video

CARD = """---
library_name: fsar
tags: [clip]
---

# CLIP-FSAR, small-clip, tiny

## Licences

- code: Apache-2.0
- videos (tiny): mine

## Trained with

nothing
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("export"))


def test_a_trained_model_goes_round(world, tmp_path, monkeypatch, capsys):
    (world.model / "README.md").write_text(CARD)
    assert main(["export", str(world.model), str(tmp_path / "travelling")]) == 0
    assert sorted(path.name for path in (tmp_path / "travelling").iterdir()) == [
        "LICENSE", "README.md", "config.json", "model.safetensors",
    ]  # fmt: skip
    method = "clip-fsar-text"
    before = FewShotClassifier.load(world.model, method, device="cpu").support(world.examples)
    expected = before.predict(world.examples)
    before.save(tmp_path / "support.safetensors")
    # Complete by itself: the text encoder too comes from the folder.
    for module in ("load", "model"):
        loaded = lambda *_: pytest.fail("the backbone was loaded")  # noqa: E731
        monkeypatch.setattr(f"fsar.predict.{module}.load_backbone", loaded)
    after = FewShotClassifier.load(tmp_path / "travelling", method, device="cpu")
    pd.testing.assert_frame_equal(after.support(world.examples).predict(world.examples), expected)
    pd.testing.assert_frame_equal(
        after.load_support(tmp_path / "support.safetensors").predict(world.examples), expected
    )
    assert after.describe() == before.describe()
    # Exported again it is the same.
    assert main(["export", str(tmp_path / "travelling"), str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "README.md").read_text().count("## Use") == 1
    for name in ("config.json", "model.safetensors", "LICENSE"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "travelling" / name).read_bytes()
    assert main(["export", str(world.model), str(tmp_path / "again")]) == 1
    assert "is there already" in capsys.readouterr().err


def test_card_and_licence_are_what_a_hub_reads(world, tmp_path):
    (world.model / "README.md").write_text(CARD)
    main(["export", str(world.model), str(tmp_path / "a")])
    card = huggingface_hub.ModelCard.load(tmp_path / "a" / "README.md")
    assert card.data.library_name == "fsar" and card.data.license == "other" and card.data.license_link == "LICENSE"
    assert "# CLIP-FSAR, small-clip, tiny" in card.text and 'FewShotClassifier.load("a")' in card.text
    assert (tmp_path / "a" / "LICENSE").read_text() == "- code: Apache-2.0\n- videos (tiny): mine\n"
    about = json.loads((tmp_path / "a" / "config.json").read_text())
    assert about["library_name"] == "fsar" and about["components"]["head"] == "clip_fsar"


def test_descriptions_of_classes_travel_too(world, tmp_path):
    shutil.copytree(world.model, tmp_path / "model")
    described = {name: f"a film of someone {name}" for name in CLASSES}
    (tmp_path / "words.json").write_text(json.dumps(described))
    about = json.loads((tmp_path / "model" / "training.json").read_text())
    about["text"] |= {"templates": ["{description}"], "descriptions": str(tmp_path / "words.json")}
    (tmp_path / "model" / "training.json").write_text(json.dumps(about))
    before = FewShotClassifier.load(tmp_path / "model", device="cpu").support(world.examples)
    before.save(tmp_path / "support.safetensors")
    assert main(["export", str(tmp_path / "model"), str(tmp_path / "travelling")]) == 0
    (tmp_path / "words.json").unlink()
    after = FewShotClassifier.load(tmp_path / "travelling", device="cpu").load_support(tmp_path / "support.safetensors")
    assert torch.equal(after.support(world.examples).support_set.text, before.support_set.text)
    with pytest.raises(UserError, match=r"words.json .* has no description of class 'dancing'"):
        after.support({"dancing": world.examples / CLASSES[0]})


def test_a_text_encoder_whose_words_are_looked_at_travels_too(world, tmp_path):
    pytest.importorskip("transformers", reason="encoders of video need the extra `video`")
    backbone = small_video("videomae", tmp_path / "video").model_copy(update={"words": small_bert(tmp_path / "bert")})
    before = FewShotClassifier.load(make_model(tmp_path, "safsar", backbone=backbone), device="cpu")
    expected = before.support(world.examples).predict(world.examples)
    before.save(tmp_path / "support.safetensors")
    assert main(["export", str(tmp_path / "models/safsar"), str(tmp_path / "travelling"), "--licence", "CC0"]) == 0
    for folder in ("bert", "video", "models"):
        shutil.rmtree(tmp_path / folder)
    after = FewShotClassifier.load(tmp_path / "travelling", device="cpu").support(world.examples)
    pd.testing.assert_frame_equal(after.predict(world.examples), expected)
    after.load_support(tmp_path / "support.safetensors")  # it is the same text encoder, in another folder
    # A name of more words than the others have, and then one of fewer.
    names = {"a photo of a falling star that is running": CLASSES[0], "waving": CLASSES[2]}
    whole = after.support({name: world.examples / own for name, own in names.items()})
    expected = whole.predict(world.examples)
    for first, second in (names, list(names)[::-1]):
        more = after.support({first: world.examples / names[first]}).add(second, world.examples / names[second])
        found = more.predict(world.examples)
        assert list(found["label"]) == list(expected["label"])
        columns = list(whole.class_columns)
        np.testing.assert_allclose(found[columns], expected[columns], rtol=1e-4)
    settings = after.model.settings
    after.model.settings = replace(settings, backbone=settings.backbone.model_copy(update={"features": "clips"}))
    with pytest.raises(UserError, match="made with another model"):
        after.load_support(tmp_path / "support.safetensors")
    after.model.settings = settings
    (tmp_path / "travelling/words/config.json").write_text("{}")
    with pytest.raises(UserError, match="made with another model"):
        after.load_support(tmp_path / "support.safetensors")


def test_files_of_ones_own_are_not_written_over(world, tmp_path, repository):
    (tmp_path / "config.json").write_text((repository / "fsar/model/architectures/small-clip.json").read_text())
    weights = ["--weights", str(world.backbone)]
    assert main(["export", str(tmp_path / "config.json"), str(tmp_path / "mine"), *weights]) == 0
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["backbone"]["model"] == "model-config.json"
    (tmp_path / "config.json").unlink()
    classifier = FewShotClassifier.load(tmp_path / "mine", device="cpu").support(world.examples)
    assert (classifier.predict(world.examples)["reason"] == "").all()


def test_one_licence_is_said_and_no_other(world, tmp_path):
    (world.model / "README.md").write_text(CARD.replace("mine", "not stated"))
    assert main(["export", str(world.model), str(tmp_path / "a"), "--licence", "CC0"]) == 0
    texts = [(tmp_path / "a" / name).read_text() for name in ("README.md", "LICENSE", "config.json")]
    assert all("CC0" in text and "not stated" not in text for text in texts)


def test_a_clip_as_it_is_and_an_architecture_of_ones_own(world, tmp_path, repository):
    architecture = tmp_path / "mine.json"
    shutil.copy(repository / "fsar/model/architectures/small-clip.json", architecture)
    weights = ["--weights", str(world.backbone), "--licence", "CC0"]
    assert main(["export", str(architecture), str(tmp_path / "mine"), *weights]) == 0
    assert (tmp_path / "mine" / "LICENSE").read_text() == "CC0\n"
    architecture.unlink()
    model = FewShotClassifier.load(tmp_path / "mine", device="cpu")
    assert read_settings(tmp_path / "mine").backbone.model == str(tmp_path / "mine" / "mine.json")
    assert architecture_name(model.model.settings.backbone.model) == "mine"
    expected = FewShotClassifier("small-clip", str(world.backbone), device="cpu").support(world.examples)
    pd.testing.assert_frame_equal(
        model.support(world.examples).predict(world.examples), expected.predict(world.examples)
    )
