"""Labels of one's own clips: the same as the workflow's evaluation, whatever the examples come as."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fsar import FewShotClassifier
from fsar.config import BackboneConfig, FramesConfig, SamplingConfig
from fsar.episodes.stored import StoredEpisodes, draw_episodes
from fsar.errors import UserError
from fsar.evaluation.by_episode import evaluate_part
from fsar.evaluation.encode_videos import EvaluationClips
from fsar.evaluation.evaluate import PlannedTest, evaluate_model
from fsar.evaluation.features import encode_split, load_encoder
from fsar.evaluation.load_head import load_head
from fsar.evaluation.predictions import read_predictions
from fsar.files import write_json
from fsar.methods import METHODS, MODELS
from fsar.model.backbone import bare_backbone, load_backbone
from fsar.model.few_shot import FewShotModel, load_weights
from fsar.model.trained_file import save_weights
from fsar.predict import frames
from fsar.predict.clips import Clip, list_clips
from fsar.predict.export import export_model
from fsar.sources.manifest import write_manifest
from fsar.videos.frame import VideoError
from fsar.videos.store_index import gather_index
from fsar.videos.store_read import FrameStore
from fsar.videos.store_write import write_shard
from tests.helpers.predicting import (
    CLASSES,
    FRAMES,
    HEAD,
    SHOTS,
    backbone_of,
    head_of,
    make_model,
    make_world,
    merged_config,
)
from tests.helpers.videos import encode, make_video
from tests.helpers.workflow import write_listing


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("predict"))


@pytest.fixture(scope="module")
def trained(world):
    return FewShotClassifier.load(world.model, device="cpu")


@pytest.fixture(scope="module")
def data(world):
    """The data of the workflow for the same clips: manifest and index; ids are paths relative to the list."""
    rows = [(str(path.relative_to(world.folder)), path.parent.name, "test") for path in world.examples.rglob("*.mp4")]
    manifest = world.folder / "manifest.parquet"
    videos = write_manifest([write_listing(world.folder / "videos.csv", rows)], manifest)
    config = FRAMES.overlaid(type(FRAMES)(shards=1))
    shard = world.folder / "frames/shard-000"
    write_shard(videos, 0, config, shard.with_suffix(".arrow"), shard.with_suffix(".parquet"))
    gather_index(manifest, [shard.with_suffix(".parquet")], 0.0, world.folder / "frames/index.parquet")
    return manifest, world.folder / "frames/index.parquet"


def workflow_logits(world, data, method, shot, sampling):
    """Return the logits that the workflow's own evaluation gives, (E, N·Q, N), with the episodes."""
    manifest, index = data
    model = METHODS[method].model
    episodes, features = world.folder / f"{method}{shot}.parquet", world.folder / f"{model}.safetensors"
    draw_episodes(manifest, index, "test", len(CLASSES), shot, 1, 3, 0, episodes)
    backbone, weights = load_backbone(backbone_of(world.folder, model)), None
    components = METHODS[method].components
    if components.trained:
        weights = make_model(world.folder, model) / "model.safetensors"
    test, path = (
        PlannedTest(method, METHODS[method].decides_by, len(CLASSES), shot, episodes),
        world.folder / "p.parquet",
    )
    settings = merged_config(world.folder, model, sampling=sampling)
    if components.across_videos:
        whole = FewShotModel(backbone, components, settings.head, adapters=settings.adapters)
        load_weights(whole, weights)
        evaluate_part(whole, settings, [test], manifest, index, (0, 1), path)
    else:
        encode_split(load_encoder(backbone, settings, weights), settings, manifest, index, features)
        evaluate_model(load_head(components, head_of(model), features, weights), [test], features, path, "cpu", 1)
    table = read_predictions(path, method, len(CLASSES), shot)
    return np.stack(table["logits"]).reshape(3, -1, len(CLASSES)), StoredEpisodes.read(episodes)


OF_EACH = [
    ("clip-freeze", 1),
    ("clip-zero-shot", 0),
    ("clip-fsar", 1),
    ("clip-fsar", 2),
    ("clip-fsar-text", 1),
    ("trx", 2),
    ("hyrsm", 2),
    ("team", 1),
    ("clip-fsar-head", 1),
    ("otam-lora", 1),
    ("d2st", 2),
    ("clip-spm", 2),
    ("strm", 2),
    ("molo", 1),
    ("emp-net", 2),
    ("ts-fsar", 2),
    ("task-adapter", 2),
]
# Which frames are looked at is no matter of the method.
OTHER_FRAMES = [("clip-freeze", 1), ("clip-zero-shot", 0), ("clip-fsar", 2), ("d2st", 2)]


@pytest.mark.parametrize(
    ("method", "shot", "at_test"),
    [*((*case, "drawn") for case in OF_EACH), *((*case, "centres") for case in OTHER_FRAMES)],
)
def test_logits_are_those_of_the_workflow(world, data, method, shot, at_test):
    expected, episodes = workflow_logits(world, data, method, shot, SamplingConfig(at_test=at_test))
    if METHODS[method].components.trained:
        folder = make_model(world.folder, METHODS[method].model)
        classifier = FewShotClassifier.load(folder, method, device="cpu", frames=at_test)
    else:
        classifier = FewShotClassifier("small-clip", str(world.backbone), method, device="cpu", frames=at_test)
        assert classifier.model.settings.frames.size == 73  # for pictures of 64; the workflow was told 72
        record = classifier.model.settings.record() | {"frames": FRAMES.model_dump()}
        classifier.model.settings = type(classifier.model.settings).of_record(record)
    for episode in range(3):
        names = [episodes.class_names[c] for c in episodes.classes[episode]]
        drawn = episodes.support[episode]
        rows = [(episodes.video_ids[v], names[n], "test") for n in range(len(names)) for v in drawn[n]]
        asked = [(episodes.video_ids[v], "", "") for v in episodes.queries[episode].ravel()]
        queries = write_listing(world.folder / "queries.csv", asked)
        classifier.support(write_listing(world.folder / "support.csv", rows) if shot else sorted(names))
        order = [classifier.class_names.index(name) for name in names]
        found = list(classifier.predictions(list_clips(queries)))
        logits = np.stack([one.logits for one in found])[:, order]
        np.testing.assert_allclose(logits, expected[episode], rtol=1e-6, atol=5e-6)
        assert np.ptp(expected[episode]) > 0.01  # they do differ from one another
        assert [one.label for one in found] == [names[i] for i in expected[episode].argmax(axis=1)]


def test_the_table_has_a_row_per_clip_and_its_probabilities(world, trained):
    trained.support(world.examples)
    broken = world.folder / "broken.mp4"
    broken.write_bytes(b"")
    clips = [*sorted(world.examples.rglob("*.mp4")), broken, world.folder / "missing.mp4"]
    table = trained.predict(clips)
    assert list(table["path"]) == [str(path) for path in clips]
    read = table[table["reason"] == ""]
    columns = [f"p({name})" for name in CLASSES]
    np.testing.assert_allclose(read[columns].sum(axis=1), 1, rtol=1e-5)
    ordered = np.sort(read[columns].to_numpy(), axis=1)
    np.testing.assert_allclose(read["margin"], ordered[:, -1] - ordered[:, -2], atol=1e-6)
    assert list(read["label"]) == [CLASSES[i] for i in read[columns].to_numpy().argmax(axis=1)]
    assert list(table["reason"][-2:]) == ["the file is empty", "there is no such file"]
    assert table[columns].iloc[-2:].isna().all(axis=None)


def test_the_nearest_example_is_the_one_of_the_smallest_distance(world):
    clips = sorted(world.examples.rglob("*.mp4"))
    classifier = FewShotClassifier("small-clip", str(world.backbone), device="cpu")
    classifier.support({str(number): [clip] for number, clip in enumerate(clips)})  # each example a class of its own
    for one in classifier.predictions(list_clips(clips)):
        assert one.nearest.number == one.logits.argmax()
        cells = one.nearest.alignment
        assert cells == sorted(cells) and {column for _, column in cells} == set(range(8))
        assert one.nearest.distances.shape == (8, 8)


def test_a_clip_has_the_same_numbers_wherever_and_beside_whatever_it_is(world, trained, tmp_path):
    trained.support(world.examples)
    clips = sorted(world.examples.rglob("*.mp4"))
    moved = shutil.copy(clips[5], tmp_path)
    alone, among = trained.predict(moved), trained.predict(clips)
    numbers = [column for column in among if column.startswith("p(")]
    assert (among[numbers].iloc[5] == alone[numbers].iloc[0]).all()


def test_a_renamed_copy_has_the_same_numbers(world, trained, tmp_path):
    trained.support(world.examples)
    clip = sorted(world.examples.rglob("*.mp4"))[5]
    copies = [Path(shutil.copy(clip, tmp_path / name)) for name in ("a.mp4", "b (1).mp4", "ü.mkv", "no suffix")]
    table = trained.predict([clip, *copies])
    for column in [*trained.class_columns, "label", "margin", "nearest"]:
        assert table[column].nunique() == 1
    drawn = FewShotClassifier.load(world.model, device="cpu", frames="drawn").support(world.examples)
    assert drawn.predict([clip, *copies])[drawn.class_columns[0]].nunique() > 1  # as the workflow's tests draw them


def test_scores_are_called_probabilities_where_they_are(world, trained):
    table = trained.support(world.examples).predict(world.examples)
    assert trained.called == "probability" and {"probability", f"p({CLASSES[0]})"} <= set(table)
    few = {name: sorted((world.examples / name).iterdir())[:3] for name in CLASSES}
    table = trained.support(few).predict(world.examples)
    assert trained.temperature is None and trained.called == "score"
    assert {"score", f"score({CLASSES[0]})"} <= set(table) and not any("p(" in name[:2] for name in table)
    assert trained.support(list(CLASSES)).called == "score"


def test_arguments_that_are_none_of_their_values_are_told(world):
    for arguments, message in (
        ({"decides_by": "txt"}, "decides_by is 'txt'; it can be few-shot, text, both"),
        ({"device": "gpu"}, "device is 'gpu'; it can be auto, cpu, cuda"),
        ({"frames": "all"}, "frames is 'all'; it can be centres, drawn"),
    ):
        with pytest.raises(UserError, match=message):
            FewShotClassifier.load(world.model, **arguments)


def test_a_saved_support_set_decides_as_it_was_made_to(world, tmp_path):
    for decides_by in ("few-shot", "both", "text"):
        made = FewShotClassifier.load(world.model, decides_by=decides_by, device="cpu").support(world.examples)
        made.save(tmp_path / "support.safetensors")
        again = FewShotClassifier.load(world.model, device="cpu").load_support(tmp_path / "support.safetensors")
        assert again.decides_by == decides_by and again.temperature == made.temperature
        told = FewShotClassifier.load(world.model, decides_by="few-shot", device="cpu")
        assert told.load_support(tmp_path / "support.safetensors").decides_by == "few-shot"
    FewShotClassifier.load(world.model, device="cpu").support(list(CLASSES)).save(tmp_path / "names.safetensors")
    names = FewShotClassifier.load(world.model, decides_by="both", device="cpu")
    assert names.load_support(tmp_path / "names.safetensors").decides_by == "text"
    # Maps are kept without what texts are compared with.
    maps = FewShotClassifier.load(make_model(world.folder, "strm"), device="cpu").support(world.examples)
    maps.save(tmp_path / "maps.safetensors")
    both = FewShotClassifier.load(make_model(world.folder, "strm"), decides_by="both", device="cpu")
    with pytest.raises(UserError, match="made to decide by few-shot, without what deciding by both needs"):
        both.load_support(tmp_path / "maps.safetensors")


def test_a_clip_of_a_variable_rate_is_looked_at_by_time(world):
    """The middles of its time, and not of its frames: the second half of the frames is one second of nine."""
    times = [*range(0, 8000, 250), *range(8000, 9000, 31)]
    pictures = [np.full((48, 64, 3), 200 if time < 8000 else 30, np.uint8) for time in times]
    clip = encode(world.folder / "phone.mp4", pictures, times)
    found = frames.read_clip(Clip(clip, "x"), FRAMES, SamplingConfig(at_test="centres"), 0, 64)
    assert [bool(frame.mean() < 100) for frame in found] == [False] * 7 + [True]
    drawn = frames.read_clip(Clip(clip, "x"), FRAMES, SamplingConfig(), 0, 64)
    assert [bool(frame.mean() < 100) for frame in drawn] == [False] * 4 + [True] * 4
    # The workflow's own tests see the same.
    manifest, shard = world.folder / "one.parquet", world.folder / "one/shard-000"
    videos = write_manifest([write_listing(world.folder / "one.csv", [("phone.mp4", "a", "test")])], manifest)
    config, parts = (
        FRAMES.overlaid(type(FRAMES)(shards=1)),
        [shard.with_suffix(".arrow"), shard.with_suffix(".parquet")],
    )
    write_shard(videos, 0, config, *parts)
    gather_index(manifest, parts[1:], 0.0, world.folder / "one/index.parquet")
    store = FrameStore(world.folder / "one", world.folder / "one/index.parquet")
    for at_test in ("centres", "drawn"):
        sampling = SamplingConfig(at_test=at_test)
        own = EvaluationClips(store, ["phone.mp4"], sampling, 64, 0)[0].numpy()
        np.testing.assert_array_equal(own, frames.read_clip(Clip(clip, "phone.mp4"), FRAMES, sampling, 0, 64))


def test_examples_by_dict_folder_and_csv_are_the_same(world, trained):
    clips = {name: sorted((world.examples / name).iterdir()) for name in CLASSES}
    rows = [(str(path.relative_to(world.folder)), path.name, name) for name, paths in clips.items() for path in paths]
    listing = world.folder / "named.csv"
    pd.DataFrame(rows, columns=["path", "id", "class"]).to_csv(listing, index=False)
    sets = [trained.support(examples).support_set for examples in (clips, world.examples, listing)]
    for other in sets[1:]:
        assert other.class_names == list(CLASSES) and other.shots == [SHOTS] * 3
        assert torch.equal(other.stored["frames"], sets[0].stored["frames"])
        assert torch.equal(other.text, sets[0].text)


@pytest.mark.parametrize("model", ["clip-fsar", "trx"])  # one merges a class's examples, the other keeps them apart
def test_classes_may_have_different_numbers_of_examples(world, model):
    clips = {name: sorted((world.examples / name).iterdir())[: n + 1] for n, name in enumerate(CLASSES)}
    classifier = FewShotClassifier.load(make_model(world.folder, model), device="cpu")
    asked = [clip for own in clips.values() for clip in own]
    together = np.stack([one.logits for one in classifier.support(clips).predictions(list_clips(asked))])
    for number, name in enumerate(CLASSES):  # each class's logit depends on its own examples alone
        alone = [one.logits[0] for one in classifier.support({name: clips[name]}).predictions(list_clips(asked))]
        np.testing.assert_allclose(alone, together[:, number], rtol=1e-5)


def test_a_saved_support_set_needs_neither_clips_nor_text_encoder(world, trained, tmp_path, monkeypatch):
    trained.support(world.examples)
    clip = sorted(world.examples.rglob("*.mp4"))[3]
    expected = trained.predict(clip)
    trained.save(tmp_path / "a.safetensors")
    trained.support(world.examples).save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    # Neither pretrained weights nor a network are looked for again.
    for module in ("load", "model"):
        loaded = lambda *_: pytest.fail("the backbone was loaded")  # noqa: E731
        monkeypatch.setattr(f"fsar.predict.{module}.load_backbone", loaded)
    again = FewShotClassifier.load(world.model, device="cpu").load_support(tmp_path / "a.safetensors")
    pd.testing.assert_frame_equal(again.predict(clip), expected)
    about = again.support_set.provenance
    assert about["settings"]["backbone"]["weights"] == str(world.backbone) and about["fsar"]


def test_a_support_set_of_another_model_is_refused(world, trained, tmp_path):
    trained.support(world.examples).save(tmp_path / "support.safetensors")
    other = FewShotClassifier("small-clip", str(world.backbone), device="cpu")
    with pytest.raises(UserError, match="made with another model"):
        other.load_support(tmp_path / "support.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "support.safetensors").read_bytes()[:200])
    with pytest.raises(UserError, match="Make it again"):
        trained.load_support(tmp_path / "cut.safetensors")


def test_names_alone_decide_by_themselves(world, trained):
    classifier = FewShotClassifier("small-clip", str(world.backbone), device="cpu").support(["a door", "a hand"])
    found = list(classifier.predictions(list_clips(world.examples)))
    assert {one.label for one in found} <= {"a door", "a hand"} and all(one.nearest is None for one in found)
    assert classifier.decides_by == "text" and classifier.support(world.examples).decides_by == "few-shot"
    # CLIP's own scale stands in for one that was not trained.
    scale = float(classifier.model.backbone.encoders.logit_scale.exp())
    for one in found:
        expected = torch.tensor(one.logits * scale).softmax(0).numpy()
        np.testing.assert_allclose(one.scores, expected, rtol=1e-4)


def test_broken_examples_are_left_out_and_told(world, trained, tmp_path):
    shutil.copytree(world.examples, tmp_path / "examples")
    (tmp_path / "examples" / CLASSES[0] / "x.mp4").write_bytes(b"")
    trained.support(tmp_path / "examples")
    assert trained.support_set.shots == [SHOTS] * 3
    assert [(one.clip.path.name, one.reason) for one in trained.unreadable] == [("x.mp4", "the file is empty")]
    with pytest.raises(UserError, match="No example of the class 'waving' can be read"):
        trained.support({"waving": [tmp_path / "examples" / CLASSES[0] / "x.mp4"]})


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ("nowhere", "There are no examples at nowhere"),
        ("nowhere.csv", "There is no list of clips at nowhere.csv"),
        ({"a": []}, "The class 'a' has no example"),
        ({}, "names no class"),
        ([], "There is no class to choose from"),
    ],
)
def test_examples_that_cannot_be_used_are_told(trained, examples, message):
    with pytest.raises(UserError, match=message):
        trained.support(examples)


def test_models_that_cannot_be_used_are_told(world, tmp_path):
    with pytest.raises(UserError, match="needs a trained model"):
        FewShotClassifier("small-clip", str(world.backbone), "clip-fsar")
    with pytest.raises(UserError, match=r"is no model's folder: it lacks training.json or config.json"):
        FewShotClassifier.load(tmp_path)
    with pytest.raises(UserError, match="does not decide by 'trx'; it does by clip-fsar"):
        FewShotClassifier.load(world.model, "trx")
    shutil.copytree(world.model, tmp_path / "other")
    shutil.copy(make_model(world.folder, "trx") / "model.safetensors", tmp_path / "other")
    with pytest.raises(UserError, match=r"of another (backbone or )?method"):
        FewShotClassifier.load(tmp_path / "other")
    (tmp_path / "other" / "training.json").write_text("{}")
    with pytest.raises(UserError, match="It must describe a model"):
        FewShotClassifier.load(tmp_path / "other")


def test_a_backbone_without_weights_sees_pictures_as_with_them(world, monkeypatch):
    about = BackboneConfig(model="small-clip", weights="mine")
    values = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1)}
    monkeypatch.setattr("fsar.model.open_clip_backbone.get_pretrained_cfg", lambda *_: values)
    bare = bare_backbone(about)
    assert (bare.mean / 255).tolist() == pytest.approx(values["mean"])
    assert (bare.std / 255).tolist() == pytest.approx(values["std"])
    monkeypatch.undo()
    about = BackboneConfig(model="small-clip", weights=str(world.backbone))
    assert torch.equal(bare_backbone(about).mean, load_backbone(about).mean)


def test_a_model_without_text_decides_by_examples_alone(world, tmp_path):
    backbone = BackboneConfig(library="timm", model="test_vit", weights="nowhere.safetensors", size=64)
    torch.manual_seed(0)
    model = FewShotModel(bare_backbone(backbone), MODELS["otam"], HEAD)
    save_weights(model.trained_state(), tmp_path / "model.safetensors")
    about = json.loads((make_model(world.folder, "otam") / "training.json").read_text())
    write_json(tmp_path / "training.json", about | {"backbone": backbone.model_dump()})
    classifier = FewShotClassifier.load(tmp_path, device="cpu")
    table = classifier.support(world.examples).predict(world.examples)
    assert (table["reason"] == "").all()
    with pytest.raises(UserError, match="test_vit has no text encoder: let examples alone decide"):
        classifier.support(["a", "b"])
    export_model(classifier.model, tmp_path / "travelling")
    again = FewShotClassifier.load(tmp_path / "travelling", device="cpu").support(world.examples)
    pd.testing.assert_frame_equal(again.predict(world.examples), table)


def test_a_damaged_clip_is_labelled_or_left_out_as_the_workflow_would(world, trained, tmp_path, caplog):
    clip = make_video(tmp_path / "whole.avi", 40)
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    [found] = trained.support(world.examples).predictions([Clip(damaged, "a")])
    assert found.label and "damaged.avi: " in caplog.text and "frames are lost" in caplog.text
    left_out = FRAMES.overlaid(FramesConfig(damaged="leave-out"))
    with pytest.raises(VideoError, match=r"^\d+ frames are lost, \d+ are not: "):
        frames.read_clip(Clip(damaged, "a"), left_out, SamplingConfig(), 0, 64)


def test_a_long_clip_is_read_in_bounded_memory_and_the_same(world, monkeypatch):
    clip = sorted(world.examples.rglob("*.mp4"))[3]
    arguments = (Clip(clip, clip.name), FRAMES, SamplingConfig(), 0, 64)
    whole = frames.read_clip(*arguments)
    monkeypatch.setattr(frames, "HELD", 5)
    np.testing.assert_array_equal(frames.read_clip(*arguments), whole)


def test_every_real_clip_gets_a_label(world, real_clips):
    clips = sorted(path for path in real_clips.rglob("*") if path.suffix in (".avi", ".webm", ".mp4"))
    chosen = [clip for clip in clips if re.search(r"[()\[\]! ]", clip.name)]
    chosen += [next(clip for clip in clips if clip.suffix == suffix) for suffix in (".avi", ".webm", ".mp4")]
    assert len(chosen) > 3
    classifier = FewShotClassifier("small-clip", str(world.backbone), device="cpu").support(world.examples)
    table = classifier.predict(chosen)
    assert (table["reason"] == "").all() and table["label"].isin(CLASSES).all()
