"""Texts of classes: from names, templates and descriptions to one feature each."""

import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from fsar.config import BackboneConfig, TextConfig, load
from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.model.backbone import load_backbone
from fsar.model.class_texts import class_texts
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_clip
from fsar.model.text import encode_classes
from fsar.plan.checks import check_texts
from fsar.plan.plan import Plan, PlannedModel
from fsar.training.texts import EpisodeTexts
from tests.helpers.small_models import small_head
from tests.helpers.workflow import write_listing


class Letters:
    """A text encoder that counts a and e, and how often it is asked."""

    subject = "The backbone of letters"

    def __init__(self):
        self.calls = 0

    def tokens(self, texts):
        return torch.tensor([[text.count("a"), text.count("e")] for text in texts])

    def encode_tokens(self, tokens):
        self.calls += 1
        return tokens.float()


def test_one_template_is_one_text_and_its_feature_as_it_is():
    assert class_texts(["waving", "running"], TextConfig()) == [["a photo of waving"], ["a photo of running"]]
    encoder = Letters()
    features = encode_classes(encoder, ["waving", "e"], TextConfig())
    assert features.tolist() == [[2, 0], [1, 1]] and encoder.calls == 1


def test_several_templates_are_averaged_as_they_are_or_at_length_one():
    templates = ["{class_name}", "aaa {class_name}", "{class_name} eee"]
    rows = torch.tensor([[1.0, 1.0], [4.0, 1.0], [1.0, 4.0]])
    for average, expected in (("plain", rows.mean(dim=0)), ("normalised", F.normalize(rows, dim=-1).mean(dim=0))):
        features = encode_classes(Letters(), ["ae"], TextConfig(templates=templates, average=average))
        torch.testing.assert_close(features, expected.unsqueeze(0))


def test_each_text_of_a_class_is_kept_where_all_have_as_many(tmp_path):
    templates = ["{class_name}", "aaa {class_name}"]
    each = encode_classes(Letters(), ["ae", "e"], TextConfig(templates=templates), looks="each")
    assert each.tolist() == [[[1, 1], [4, 1]], [[0, 1], [3, 1]]]  # (C, S, D)
    file = tmp_path / "described.json"
    file.write_text(json.dumps({"waving": ["a hand", "a smile"], "running": "legs"}))
    config = TextConfig(templates=["{description}"], descriptions=str(file))
    with pytest.raises(UserError, match="'running' has 1 texts and 'waving' has 2"):
        encode_classes(Letters(), ["waving", "running"], config, looks="each")


def test_a_set_of_prompts_is_named_and_becomes_its_templates():
    named = TextConfig(templates="actionclip")
    assert len(set(named.templates)) == len(named.templates) == 16
    assert all(template.count("{class_name}") == 1 for template in named.templates)
    assert list(named.problems()) == []
    # The templates and not the name decide what is made again: a change of the set's file is one of the config.
    assert named.decisive("train_model") == TextConfig(templates=named.templates).decisive("train_model")
    assert named.decisive("train_model") == {"templates": named.templates}
    assert class_texts(["waving"], named)[0][:4:3] == ["a photo of action waving", "waving, an action"]


def test_descriptions_fill_templates(tmp_path):
    listed, written = tmp_path / "described.csv", tmp_path / "described.json"
    listed.write_text('class,description\nwaving,"a hand, raised"\nrunning,legs\nwaving,a smile\n')
    written.write_text(json.dumps({"waving": ["a hand, raised", "a smile"], "running": "legs"}))
    for file in (listed, written):
        config = TextConfig(templates=["{class_name}", "{class_name}: {description}."], descriptions=str(file))
        assert class_texts(["running", "waving"], config) == [
            ["running", "running: legs."],
            ["waving", "waving: a hand, raised.", "waving: a smile."],
        ]
        assert list(config.problems()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "is not an object"),
        ("{", "cannot be read"),
        ('{"waving": []}', "class 'waving' must have a sentence"),
        ('{"waving": " "}', "class 'waving' must have a sentence"),
        ('{"waving": 1}', "class 'waving' must have a sentence"),
        ('{"running": "legs"}', r"described\.json \(key text\.descriptions\) has no description of class 'waving'"),
    ],
)
def test_wrong_descriptions_are_told(tmp_path, content, message):
    file = tmp_path / "described.json"
    file.write_text(content)
    with pytest.raises(UserError, match=message):
        class_texts(["waving"], TextConfig(templates=["{description}"], descriptions=str(file)))


def test_a_class_is_described_in_any_spelling(tmp_path):
    listed, written = tmp_path / "described.csv", tmp_path / "described.json"
    listed.write_text("class,description\ncafe\N{COMBINING ACUTE ACCENT}  au lait,milk\n", encoding="utf-8")
    written.write_text(json.dumps({"cafe\N{COMBINING ACUTE ACCENT}\N{NO-BREAK SPACE}au lait": "milk"}))
    for file in (listed, written):
        config = TextConfig(templates=["{class_name}: {description}"], descriptions=str(file))
        assert class_texts(["café au  lait"], config) == [["café au lait: milk"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,description\na,b\n", "has no column 'class'"),
        ("class,description\nwaving,\n", "line 2: description is empty"),
        (None, "cannot be read"),
    ],
)
def test_wrong_lists_of_descriptions_are_told(tmp_path, content, message):
    file = tmp_path / "described.csv"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=message):
        class_texts(["waving"], TextConfig(templates=["{description}"], descriptions=str(file)))


def test_a_class_without_description_is_told_before_any_job_where_classes_are_known(tmp_path):
    splits = {"train": 3, "val": 3, "test": 3}
    rows = [(f"{s}{c}{i}.mp4", f"{s} {c}", s) for s, count in splits.items() for c in range(count) for i in range(4)]
    listing = write_listing(tmp_path / "videos.csv", rows)
    described = tmp_path / "described.json"
    described.write_text(json.dumps({f"test {c}": "a film" for c in range(3)}))
    values = {
        "run": {"benchmarks": ["own"], "backbones": ["clip"], "methods": ["clip-freeze", "otam"], "ways": [3]},
        "benchmarks": {"own": {"source": {"kind": "csv", "file": str(listing)}, "shots": [1]}},
        "backbones": {"clip": {"model": "small-clip", "weights": "clip.safetensors"}},
        "text": {"templates": ["{description}"], "descriptions": str(described)},
        "training": {"way": 3, "queries": 1},
    }
    plan = Plan(load(values))
    check_texts(plan)  # training reads no text, so that its classes need none
    otam, clip_fsar = (PlannedModel("own", "clip", model, "seed1") for model in ("otam", "clip-fsar"))
    assert plan.descriptions(otam) == [str(described)] == plan.training_descriptions(clip_fsar)
    assert plan.training_descriptions(otam) == []
    values["run"]["methods"] = ["clip-fsar"]
    with pytest.raises(UserError, match=r"has no description of class 'train 0', 'train 1', 'train 2', 'val 0', 'val"):
        check_texts(Plan(load(values)))


@pytest.fixture
def dropping(tmp_path):
    """A backbone in training mode whose text encoder has dropout, as those of transformers have."""
    torch.manual_seed(0)
    save_file(random_clip("small-clip").state_dict(), tmp_path / "clip.safetensors")
    backbone = load_backbone(BackboneConfig(model="small-clip", weights=str(tmp_path / "clip.safetensors")))
    backbone.encoders.ln_final.register_forward_hook(lambda layer, _, given: F.dropout(given, 0.5, layer.training))
    return backbone.train()


def modes(module):
    return {name: part.training for name, part in module.named_modules()}


def test_dropout_of_a_text_encoder_is_off_wherever_texts_are_no_training(dropping):
    dropping.visual.eval()  # modes differ from part to part, and stay
    before = modes(dropping)
    first, again = (encode_classes(dropping, ["waving", "running"], TextConfig()) for _ in range(2))
    assert modes(dropping) == before and first.std() > 0
    dropping.eval()
    expected = encode_classes(dropping, ["waving", "running"], TextConfig())
    assert torch.equal(first, expected) and torch.equal(again, expected)


@pytest.mark.parametrize("model", ["clip-fsar", "clip-fsar-text-encoder"])
def test_texts_of_a_training_are_those_of_evaluation_but_where_they_are_trained(dropping, model):
    parts = MODELS[model]
    few_shot = FewShotModel(dropping, parts, small_head(parts), classes=2).train()
    torch.manual_seed(1)
    texts = EpisodeTexts(few_shot, TextConfig(), ["waving", "running"], ["jumping"])
    validated = texts.of_validation()
    assert few_shot.training and all(modes(few_shot).values())
    drawn = [few_shot._text(torch.tensor([0, 1])) for _ in range(2)]
    # What is trained keeps its dropout; what is not has none, though it was encoded in training mode.
    assert torch.equal(*drawn) == (not parts.trains_text)
    few_shot.eval()
    assert torch.equal(validated, encode_classes(dropping, ["jumping"], TextConfig()))
    if not parts.trains_text:
        assert torch.equal(drawn[0], encode_classes(dropping, ["waving", "running"], TextConfig()))
