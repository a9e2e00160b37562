"""What is no number never becomes a feature, a label or a row: every evaluation stops and names the model."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from fsar.config import FramesConfig, SamplingConfig, TextConfig
from fsar.episodes.stored import StoredEpisodes, draw_episodes, readable_videos
from fsar.errors import UserError
from fsar.evaluation.by_episode import evaluate_part
from fsar.evaluation.episode_logits import episode_logits
from fsar.evaluation.evaluate import PlannedTest, evaluate_model
from fsar.evaluation.feature_file import read_features, write_features
from fsar.evaluation.features import Encoder, encode_split, load_encoder
from fsar.evaluation.kept_features import Features
from fsar.evaluation.load_head import load_head
from fsar.fabric import make_fabric
from fsar.methods import METHODS, MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.methods.needs import Inputs
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, load_weights
from fsar.model.finite import check_finite, check_weights
from fsar.model.text import encode_classes
from fsar.sources.manifest import write_manifest
from fsar.training.texts import EpisodeTexts
from fsar.training.validation import Validation
from fsar.videos.shards import shard_name
from fsar.videos.store_index import gather_index
from fsar.videos.store_read import FrameStore
from fsar.videos.store_write import write_shard
from tests.helpers.predicting import CLASSES, backbone_of, head_of, make_model, make_world, merged_config
from tests.helpers.small_models import small_adapters
from tests.helpers.workflow import write_listing

NAN, INF = float("nan"), float("inf")
BAD = pytest.mark.parametrize("bad", [NAN, INF], ids=["nan", "inf"])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Clips of three classes as a test split with stored episodes, and models with weights left to chance."""
    own = make_world(tmp_path_factory.mktemp("finite"))
    rows = [(str(clip.relative_to(own.folder)), clip.parent.name, "test") for clip in own.examples.rglob("*.mp4")]
    data = {name: own.folder / f"{name}.parquet" for name in ("manifest", "shard", "index", "episodes")}
    videos = write_manifest([write_listing(own.folder / "videos.csv", rows)], data["manifest"])
    write_shard(videos, 0, FramesConfig(size=72, shards=1), own.folder / shard_name(0), data["shard"])
    gather_index(data["manifest"], [data["shard"]], 0.0, data["index"])
    draw_episodes(data["manifest"], data["index"], "test", len(CLASSES), 1, 1, 3, 0, data["episodes"])
    return SimpleNamespace(folder=own.folder, **data)


def planned(world, method):
    return PlannedTest(method, METHODS[method].decides_by, len(CLASSES), 1, world.episodes)


def encode(world, encoder, path, model="frozen"):
    encode_split(encoder, merged_config(world.folder, model), world.manifest, world.index, path)


@BAD
def test_what_is_not_finite_is_named_with_its_rows(bad):
    values = torch.zeros(8, 3, 2)
    check_finite(values, "The backbone RN50", [f"v{i}" for i in range(8)])
    values[1:, 2, 1] = bad
    with pytest.raises(UserError, match=r"The backbone RN50 gives .* for 'v1', .*'v5' and 2 more: 7 of 48.*weights"):
        check_finite(values, "The backbone RN50", [f"v{i}" for i in range(8)])
    with pytest.raises(UserError, match=r"The backbone RN50 gives values that are NaN or infinite: 7 of 48"):
        check_finite(-values, "The backbone RN50")


@pytest.mark.parametrize("values", [torch.empty(0, 4), torch.tensor(1.0), torch.arange(3), torch.ones(2).half()])
def test_numbers_of_any_kind_pass(values):
    check_finite(values, "The model")


def test_a_mask_beside_weights_may_hide():
    mask = torch.full((2, 2), -INF)
    check_weights({"a.attn_mask": mask, "a.weight": torch.ones(2)}, "w.pt")
    with pytest.raises(UserError, match=r"w\.pt are damaged: 'a\.weight' hold"):
        check_weights({"a.weight": mask}, "w.pt")


@BAD
def test_frozen_features_stop_before_a_file_is_written(world, tmp_path, bad):
    about = backbone_of(world.folder, "frozen")
    backbone = load_backbone(about)
    with torch.no_grad():
        next(p for p in backbone.visual.parameters() if p.ndim == 4)[0, 0, 0, 0] = bad
    with pytest.raises(UserError, match=r"The backbone small-clip with weights .*small-clip\.safetensors gives .*mp4"):
        encode(world, Encoder(backbone), tmp_path / "features.safetensors")
    assert not list(tmp_path.iterdir())


def test_finite_weights_that_overflow_stop_too(world, tmp_path):
    backbone = load_backbone(backbone_of(world.folder, "frozen"))
    with torch.no_grad():
        for parameter in backbone.visual.parameters():
            parameter.mul_(1e30)
    with pytest.raises(UserError, match=r"gives values that are NaN or infinite for .*mp4"):
        encode(world, Encoder(backbone), tmp_path / "features.safetensors")


@BAD
def test_texts_of_classes(world, tmp_path, bad):
    backbone = load_backbone(backbone_of(world.folder, "frozen"))
    with torch.no_grad():
        backbone.encoders.text_projection[0, 0] = bad
    with pytest.raises(UserError, match=r"The backbone small-clip .*class names, gives .* for 'closing a door', "):
        encode(world, Encoder(backbone), tmp_path / "features.safetensors")
    with pytest.raises(UserError, match=r"class names, gives .* for 'waving': "):
        encode_classes(backbone, ["waving"], TextConfig(), "each")
    model = SimpleNamespace(backbone=backbone, set_training_text=lambda _: None, set_training_tokens=lambda *_: None)
    model.components = MODELS["clip-fsar"]
    with pytest.raises(UserError, match=r"class names, gives .* for 'waving': "):
        EpisodeTexts(model, TextConfig(), ["waving"], ["running"])
    model.components = MODELS["clip-fsar-text-encoder"]
    with pytest.raises(UserError, match=r"class names, gives .* for 'running': "):
        EpisodeTexts(model, TextConfig(), ["waving"], ["running"]).of_validation()


@BAD
@pytest.mark.parametrize("part", ["visual", "head"])
def test_trained_weights_are_refused_by_name(world, tmp_path, bad, part):
    components, about = MODELS["clip-fsar"], backbone_of(world.folder, "clip-fsar")
    good = make_model(world.folder, "clip-fsar") / "model.safetensors"
    settings = merged_config(world.folder, "clip-fsar")
    encode(world, load_encoder(load_backbone(about), settings, good), tmp_path / "f")
    state = load_file(good)
    name = next(name for name, value in state.items() if name.startswith(part) and value.ndim > 1)
    state[name].view(-1)[0] = bad
    save_file(state, tmp_path / "model.safetensors")
    told = rf"The weights .*model\.safetensors are damaged: '{name}'"
    with pytest.raises(UserError, match=told):
        load_weights(
            FewShotModel(load_backbone(about), components, head_of("clip-fsar")), tmp_path / "model.safetensors"
        )
    with pytest.raises(UserError, match=told):
        if part == "visual":
            load_encoder(load_backbone(about), settings, tmp_path / "model.safetensors")
        else:
            load_head(components, head_of("clip-fsar"), tmp_path / "f", tmp_path / "model.safetensors")


def test_weights_of_another_head_are_told(world, tmp_path):
    features = {"frames": torch.zeros(1, 8, 128)}
    write_features(tmp_path / "f", ["a"], features, ["b"], torch.zeros(1, 128), Inputs(128, 8))
    other = make_model(world.folder, "clip-fsar") / "model.safetensors"
    with pytest.raises(UserError, match=r"model\.safetensors is of another backbone or method"):
        load_head(MODELS["hyrsm"], head_of("hyrsm"), tmp_path / "f", other)
    with pytest.raises(UserError, match="There is no file none"):
        load_head(MODELS["clip-fsar"], head_of("clip-fsar"), tmp_path / "f", Path("none"))


@BAD
@pytest.mark.parametrize("part", ["frames", "text"])
def test_a_file_of_features_is_checked_when_it_is_read(tmp_path, bad, part):
    values = {"frames": torch.zeros(2, 8, 4), "text": torch.zeros(2, 4)}
    values[part][1, 0] = bad
    path = tmp_path / "features.safetensors"
    write_features(path, ["a.mp4", "b.mp4"], {"frames": values["frames"]}, ["x", "y"], values["text"], Inputs(4, 8))
    row = "b.mp4" if part == "frames" else "y"
    with pytest.raises(UserError, match=rf"file of features .*features\.safetensors gives .* for '{row}': .*Delete it"):
        read_features(path)


@BAD
@pytest.mark.parametrize("method", ["clip-fsar", "otam", "trx", "hyrsm", "clip-zero-shot", "clip-fsar-text"])
def test_no_method_writes_a_row_of_what_is_no_number(world, tmp_path, monkeypatch, method, bad):
    """Where features are finite and the head's own numbers are not: its parameters, or else what it computes."""
    components = METHODS[method].components
    generator = torch.Generator().manual_seed(0)
    videos = pd.read_parquet(world.manifest)
    stored = {components.needs: torch.randn(len(videos), 8, 128, generator=generator)}
    text = torch.randn(len(CLASSES), 128, generator=generator)
    write_features(tmp_path / "f", list(videos["video_id"]), stored, CLASSES, text, Inputs(128, 8))
    head = load_head(components, head_of(METHODS[method].model), tmp_path / "f", None)
    evaluate_model(head, [planned(world, method)], tmp_path / "f", tmp_path / "good.parquet", "cpu", 1)
    parameters = list(head.parameters())
    if parameters and METHODS[method].decides_by != "text":
        for parameter in parameters:
            parameter.data.view(-1)[0] = bad
    else:
        name = "text_logits" if METHODS[method].decides_by == "text" else None
        spoilt = lambda *given: torch.full((given[0].shape[0], given[0].shape[1], given[1].shape[1]), bad)  # noqa: E731
        if name:
            monkeypatch.setattr("fsar.evaluation.episode_logits.text_logits", spoilt)
        else:
            monkeypatch.setattr(head, "decide", lambda scores: bad * next(iter(scores.values())))
    with pytest.raises(UserError, match=rf"The method {method} \(3-way 1-shot\) gives .* for '.*mp4'"):
        evaluate_model(head, [planned(world, method)], tmp_path / "f", tmp_path / "bad.parquet", "cpu", 1)
    assert not (tmp_path / "bad.parquet").exists()


@BAD
@pytest.mark.parametrize("place", ["before", "within"])
def test_tests_whose_features_depend_on_the_episode(world, tmp_path, bad, place):
    name = "task-adapter"
    components, head = MODELS[name], head_of(name)
    about = backbone_of(world.folder, name)
    model = FewShotModel(load_backbone(about), components, head, adapters=small_adapters(components))
    transformer = model.backbone.transformer
    module = transformer.before_blocks if place == "before" else transformer.blocks[-1].module.ln_2
    with torch.no_grad():
        module.weight[0] = bad
    subject = "The backbone small-vit-clip" if place == "before" else rf"The method {name} \(3-way 1-shot\)"
    settings = merged_config(world.folder, name, text=TextConfig(templates=["a {class_name}"] * 3))
    where, path = (world.manifest, world.index), tmp_path / "out.parquet"
    with pytest.raises(UserError, match=rf"{subject} .*gives .* for '.*mp4'"):
        evaluate_part(model, settings, [planned(world, name)], *where, (0, 1), path)
    assert not list(tmp_path.iterdir())


@BAD
def test_validation_during_training(world, bad):
    videos = readable_videos(world.manifest, world.index, "test")
    episodes = StoredEpisodes.read(world.episodes)
    store = FrameStore(world.folder, world.index)
    fabric = make_fabric("cpu", "fp32")
    model = FewShotModel(load_backbone(backbone_of(world.folder, "otam")), MODELS["otam"], ClipFsarConfig())
    validation = Validation(store, videos, episodes, SamplingConfig(), 64, 0, 0, fabric)
    text = torch.zeros(len(CLASSES), 0)
    assert 0 <= validation.accuracy(model, text) <= 1
    with torch.no_grad():
        next(p for p in model.backbone.visual.parameters() if p.ndim == 4)[0, 0, 0, 0] = bad
    with pytest.raises(UserError, match=r"The backbone small-clip .*gives .*mp4"):
        validation.accuracy(model, text)


def test_the_head_is_named_where_nothing_else_is_said(world):
    episodes = StoredEpisodes.read(world.episodes)
    rows = {name: row for row, name in enumerate(episodes.video_ids)}
    classes = {name: row for row, name in enumerate(episodes.class_names)}
    stored = {"frames": torch.full((len(rows), 8, 128), NAN)}
    model = FewShotModel(load_backbone(backbone_of(world.folder, "otam")), MODELS["frozen"], ClipFsarConfig())
    with pytest.raises(UserError, match=r"The head clip_fsar gives .*mp4"):
        list(episode_logits(model.head, episodes, Features(rows, stored, classes, torch.zeros(len(classes), 0))))
