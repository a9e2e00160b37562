"""Adapters and trained text encoders within a model: what is trained and saved, and tests within episodes."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fsar.config import TextConfig, TrainingConfig
from fsar.episodes.stored import SCHEMA
from fsar.evaluation.evaluate import PlannedTest, gather_predictions, write_predictions
from fsar.evaluation.kept_features import Features
from fsar.evaluation.predictions import read_predictions
from fsar.files import write_parquet
from fsar.methods import MODELS
from fsar.methods.head import Head
from fsar.methods.needs import Inputs
from fsar.methods.otam.record import OtamConfig
from fsar.model.few_shot import FewShotModel, load_backbone_parts, load_weights
from fsar.model.open_clip_backbone import random_backbone
from fsar.model.text import class_tokens, encode_classes
from fsar.model.trained_file import save_weights
from fsar.training.optimizer import parameter_groups
from tests.helpers.small_models import THREE_TEXTS, small_adapters, small_head

FRAMES = 8


def a_model(name, backbone=None):
    torch.manual_seed(0)
    parts = MODELS[name]
    backbone = backbone or random_backbone("small-vit-clip")
    return FewShotModel(backbone, parts, small_head(parts), FRAMES, adapters=small_adapters(parts))


def clips(videos):
    generator = torch.Generator().manual_seed(videos)
    return torch.randint(0, 256, (videos, FRAMES, 64, 64, 3), dtype=torch.uint8, generator=generator)


def stirred(module):
    """Move weights that begin at zero, so that what is inserted shows."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)


@pytest.mark.parametrize("name", ["otam-lora", "d2st"])
def test_only_adapters_and_head_are_trained_saved_and_loaded(name, tmp_path):
    model = a_model(name)
    stirred(model.backbone.adapters)
    state = model.trained_state()
    assert {key.partition(".")[0] for key in state} <= {"adapters", "head"} and len(state) > 4
    save_weights(state, tmp_path / "model.safetensors")
    torch.manual_seed(2)
    bare = random_backbone("small-vit-clip")
    bare.load_state_dict({k: v for k, v in model.backbone.state_dict().items() if not k.startswith("adapters.")})
    other, videos = a_model(name, bare), clips(2)
    before = other.eval().encode(videos)
    load_weights(other, tmp_path / "model.safetensors")
    ours, theirs = model.eval().encode(videos), other.encode(videos)
    for kept in ours:
        assert torch.equal(ours[kept], theirs[kept]) and not torch.allclose(ours[kept], before[kept], atol=1e-4)


def test_decay_spares_normalisation_by_its_kind_and_not_by_its_name():
    model = a_model("d2st")
    model.backbone.requires_grad_(False)
    adapters = model.backbone.adapters.requires_grad_(True)
    norm_named = nn.Linear(2, 2)
    adapters.norm_named, adapters.plain = norm_named, nn.LayerNorm(2)
    groups = parameter_groups(model, TrainingConfig(weight_decay=0.1, head_learning_rate_factor=3.0))
    decay = {parameter: (group["weight_decay"], group["factor"]) for group in groups for parameter in group["params"]}
    assert decay[norm_named.weight] == (0.1, 1.0) and decay[adapters.plain.weight] == (0.0, 1.0)
    assert set(decay) == {*adapters.parameters(), *model.head.parameters()}


def test_tests_within_episodes_see_what_training_sees():
    """Once per video up to the adapted blocks, then these for several episodes at once; training goes straight."""
    model = a_model("task-adapter").eval()
    stirred(model.backbone.adapters)
    support, queries = clips(4), clips(3)  # 2-way 2-shot
    with torch.inference_mode():
        text = encode_classes(model.backbone, ["wave", "run"], THREE_TEXTS, "each")  # (N, S, D)
        given = model._encode(torch.cat([support, queries]), 4, apart=True)["frames"]
        expected = model.head.few_shot_logits(given[:4].unflatten(0, (2, 2)), given[4:], text)
        tester = model.tested_head()
        kept = model.encode(torch.cat([support, queries]))
        tokens = kept["tokens"]
        twice = {"tokens": torch.stack([tokens[:4].unflatten(0, (2, 2))] * 2)}
        together = tester.support_together(twice, torch.stack([text] * 2))
        asked = {"tokens": torch.stack([tokens[4:]] * 2)}
        found = tester.decide(tester.episode_stage(together, asked, torch.stack([text] * 2)))
        other = {"tokens": torch.stack([tokens[4:], tokens[4:].flip(0)])}
        turned = tester.decide(tester.episode_stage(together, other, torch.stack([text] * 2)))
    torch.testing.assert_close(found, expected.expand(2, -1, -1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(turned[1].flip(0), expected, rtol=1e-4, atol=1e-4)  # episodes do not see one another


def test_validation_within_episodes_is_in_the_arithmetic_of_training():
    """The adapted blocks; what compares their features is not."""
    model = a_model("task-adapter").eval()
    stirred(model.backbone.adapters)
    with torch.inference_mode():
        kept = model.encode(clips(3))
        plain, low = model.tested_head(), model.tested_head(partial(torch.autocast, "cpu", torch.bfloat16))
        found, expected = low.frames_of(kept), plain.frames_of(kept)
        with torch.autocast("cpu", torch.bfloat16):
            whole = plain.frames_of(kept)
    assert found.dtype == torch.float32 and torch.equal(found, whole)
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1)


class Sums(Head):
    """Scores that tell every query and class from the others."""

    episodes_at_once = 4

    def episode_stage(self, support, queries, text):
        return {"few_shot": torch.einsum("bqtd,bnktd->bqn", queries["frames"], support["frames"])}


@pytest.mark.parametrize("parts", [1, 3, 20])
def test_the_parts_of_tests_put_together_are_the_whole(parts, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        (e, n, role, f"c{n}", f"v{rng.integers(12)}")
        for e in range(18)
        for n in range(3)
        for role in ("support", "query")
    ]
    write_parquet(tmp_path / "episodes.parquet", pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)
    ids, names = [f"v{i}" for i in range(12)], [f"c{i}" for i in range(3)]
    kept = Features(
        {v: i for i, v in enumerate(ids)}, {"frames": torch.randn(12, 2, 4)}, {c: i for i, c in enumerate(names)},
        torch.zeros(3, 4),
    )  # fmt: skip
    tests = [PlannedTest(method, "few-shot", 3, 1, tmp_path / "episodes.parquet") for method in ("otam", "again")]
    head = Sums(Inputs(4, 2), OtamConfig())
    write_predictions(head, tests, kept, tmp_path / "whole.parquet")
    files = [tmp_path / f"part{number}.parquet" for number in range(parts)]
    for number, file in enumerate(files):
        write_predictions(head, tests, kept, file, (number, parts))
    gather_predictions(files, tests, tmp_path / "gathered.parquet")
    for method in ("otam", "again"):
        whole, gathered = (
            read_predictions(tmp_path / f"{name}.parquet", method, 3, 1) for name in ("whole", "gathered")
        )
        pd.testing.assert_frame_equal(whole, gathered)
        assert list(gathered["episode"]) == sorted(list(range(18)) * 3)


def test_a_trained_text_encoder_is_saved_and_tested_with(tmp_path):
    model = a_model("clip-fsar-text-encoder")
    backbone, names, text = model.backbone, ["wave", "run", "jump"], TextConfig()
    backbone.freeze_text(wholly=False)
    model.set_training_tokens(class_tokens(backbone, names, text), text)
    outcome = model.train()(clips(4), torch.tensor([2, 0]), 1, {"video_text": 1.0})
    outcome.total.backward()
    encoders = backbone.encoders
    assert encoders.token_embedding.weight.grad.abs().sum() > 0 and encoders.logit_scale.grad is None
    before = encode_classes(backbone, names, text)
    stirred(encoders.transformer)
    after = encode_classes(backbone, names, text)
    save_weights(model.tested_state(), tmp_path / "model.safetensors")
    torch.manual_seed(0)
    other = random_backbone("small-vit-clip")
    load_backbone_parts(other, model.components, tmp_path / "model.safetensors")
    assert torch.equal(encode_classes(other, names, text), after) and not torch.allclose(before, after)
    assert torch.equal(other.visual.conv1.weight, backbone.visual.conv1.weight)


def test_of_a_text_encoder_that_is_trained_only_the_texts_that_are_looked_at_are_encoded():
    model = a_model("task-adapter")
    names = ["wave", "run", "jump"]
    model.set_training_tokens(class_tokens(model.backbone, names, THREE_TEXTS, "each"), THREE_TEXTS)
    found = model._text(torch.tensor([2, 0]))
    assert found.shape == (3, 3, model.backbone.width) and found[1].isnan().all()
    expected = encode_classes(model.backbone, ["jump", "wave"], THREE_TEXTS, "each")
    torch.testing.assert_close(found[[2, 0]], expected)
