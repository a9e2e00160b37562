"""What is made again: for every key of the config, every video, every kind of change of the code."""

import json
import os
import re
import shutil

import pandas as pd
import pytest
import yaml

from fsar import FewShotClassifier
from fsar.config import Config
from fsar.config.declare import decided_by
from tests.dry_runs import dry_runs, planned
from tests.test_config import leaves
from tests.videos import make_video
from tests.workflow import copy_project, snakemake, write_listing

RUN = ["--configfile", "rerun.yaml"]

# A value for each key that is not the one of the finished run: path in the config → value. Keys of downloads are
# tested where there is a server (tests/test_benchmarks.py).
CHANGES = {
    "Config.seed": ("seed", 1),
    "Config.device": ("device", "cpu"),
    "RunConfig.benchmarks": ("run.benchmarks", ["tiny", "own", "copy"]),
    "RunConfig.backbones": ("run.backbones", ["small-clip", "other"]),
    "RunConfig.methods": ("run.methods", ["clip-freeze", "clip-zero-shot"]),
    "RunConfig.ways": ("run.ways", [2]),
    "RunConfig.shots": ("run.shots", [2]),
    "RunConfig.seeds": ("run.seeds", [2]),
    "BenchmarkConfig.variant_of": ("benchmarks.variant.variant_of", "own"),
    "BenchmarkConfig.licence": ("benchmarks.tiny.licence", "mine"),
    "BenchmarkConfig.methods": (
        "benchmarks.tiny.methods",
        ["clip-freeze", "clip-fsar", "clip-fsar-text", "clip-fsar-zero-shot"],
    ),
    "BenchmarkConfig.shots": ("benchmarks.tiny.shots", [2]),
    "BenchmarkConfig.trained": ("benchmarks.tiny.trained", {"small-clip": {"clip-fsar": "given.safetensors"}}),
    "DemoSource.kind": ("benchmarks.own.source", {"kind": "demo"}),
    "DemoSource.classes": ("benchmarks.tiny.source.classes", {"train": 5, "val": 3, "test": 4}),
    "DemoSource.videos_per_class": ("benchmarks.tiny.source.videos_per_class", {"train": 5, "val": 3, "test": 4}),
    "DemoSource.parts": ("benchmarks.tiny.source.parts", 1),
    "Counts.train": ("benchmarks.tiny.source.classes.train", 5),
    "Counts.val": ("benchmarks.tiny.source.classes.val", 4),
    "Counts.test": ("benchmarks.tiny.source.videos_per_class.test", 5),
    "CsvSource.file": ("benchmarks.own.source.file", "same.csv"),
    "FramesConfig.size": ("benchmarks.tiny.frames.size", 80),
    "FramesConfig.antialias": ("benchmarks.tiny.frames.antialias", False),
    "FramesConfig.quality": ("benchmarks.tiny.frames.quality", 80),
    "FramesConfig.keep": ("benchmarks.tiny.frames.keep", 8),
    "FramesConfig.shards": ("benchmarks.tiny.frames.shards", 3),
    "FramesConfig.decoder": ("benchmarks.tiny.frames.decoder", "ffmpeg"),
    "FramesConfig.damaged": ("benchmarks.tiny.frames.damaged", "leave-out"),
    "FramesConfig.timeout": ("benchmarks.tiny.frames.timeout", 900.0),
    "FramesConfig.max_failed": ("benchmarks.tiny.frames.max_failed", 0.5),
    "SamplingConfig.frames": ("benchmarks.tiny.sampling.frames", 4),
    "SamplingConfig.strategy": ("benchmarks.tiny.sampling.strategy", "span"),
    "EpisodesConfig.val": ("benchmarks.tiny.episodes.val", 21),
    "EpisodesConfig.test": ("benchmarks.tiny.episodes.test", 61),
    "EpisodesConfig.queries": ("benchmarks.tiny.episodes.queries", 2),
    "TextConfig.templates": ("benchmarks.tiny.text.templates", ["a film of {class_name}"]),
    "TextConfig.descriptions": (
        "text",
        {"templates": ["a photo of {class_name}", "{description}"], "descriptions": "described.json"},
    ),
    "TextConfig.average": ("text.average", "normalised"),
    "HeadConfig.depth": ("head.depth", 2),
    "HeadConfig.heads": ("head.heads", 4),
    "HeadConfig.feed_forward": ("benchmarks.tiny.head.feed_forward", 32),
    "HeadConfig.attention_dropout": ("head.attention_dropout", 0.1),
    "HeadConfig.feed_forward_dropout": ("head.feed_forward_dropout", 0.1),
    "HeadConfig.merge": ("head.merge", "after"),
    "HeadConfig.smoothing": ("head.smoothing", 0.1),
    "HeadConfig.text_weight": ("head.text_weight", 0.5),
    "TrainingConfig.way": ("benchmarks.tiny.training.way", 2),
    "TrainingConfig.shot": ("benchmarks.tiny.training.shot", 2),
    "TrainingConfig.queries": ("benchmarks.tiny.training.queries", 2),
    "TrainingConfig.iterations": ("benchmarks.tiny.training.iterations", 14),
    "TrainingConfig.tasks_per_step": ("benchmarks.tiny.training.tasks_per_step", 1),
    "TrainingConfig.learning_rate": ("benchmarks.tiny.training.learning_rate", 2e-3),
    "TrainingConfig.head_learning_rate_factor": ("training.head_learning_rate_factor", 2.0),
    "TrainingConfig.warmup_from": ("benchmarks.tiny.training.warmup_from", 2e-4),
    "TrainingConfig.warmup_iterations": ("benchmarks.tiny.training.warmup_iterations", 2),
    "TrainingConfig.milestones": ("benchmarks.tiny.training.milestones", [10]),
    "TrainingConfig.weight_decay": ("training.weight_decay", 0.0),
    "TrainingConfig.video_text_weight": ("training.video_text_weight", 2.0),
    "TrainingConfig.flip": ("training.flip", True),
    "TrainingConfig.colour_jitter": ("training.colour_jitter", True),
    "TrainingConfig.batch_norm": ("training.batch_norm", "running"),
    "TrainingConfig.validate_every": ("benchmarks.tiny.training.validate_every", 4),
    "TrainingConfig.precision": ("training.precision", "bf16-mixed"),
    "TrainingConfig.checkpoint_every": ("benchmarks.tiny.training.checkpoint_every", 4),
    "TrainingConfig.activation_checkpointing": ("training.activation_checkpointing", True),
    "TrainingConfig.devices": ("benchmarks.tiny.training", {"devices": 2, "threads": 2}),
    "TrainingConfig.threads": ("benchmarks.tiny.training.threads", 2),
    "TrainingConfig.workers": ("benchmarks.tiny.training", {"workers": 1, "threads": 2}),
    "BackboneConfig.model": ("backbones.small-clip.model", "same-clip.json"),
    "BackboneConfig.weights": ("backbones.small-clip.weights", "same.safetensors"),
    "BackboneConfig.library": ("backbones.small-clip", {"library": "timm", "model": "test_vit", "size": 64}),
    "BackboneConfig.size": ("backbones.small-clip.size", 32),
    "BackboneConfig.methods": ("backbones.small-clip.methods", ["clip-freeze"]),
    "BackboneConfig.published_as": ("backbones.small-clip.published_as", "CLIP-RN50"),
    "BackboneConfig.licence": ("backbones.small-clip.licence", "mine"),
    "PredictConfig.support": ("predict.mine.support", "same.csv"),
    "PredictConfig.clips": ("predict.mine.clips", "same.csv"),
    "PredictConfig.benchmark": ("predict.plain.benchmark", "own"),
    "PredictConfig.backbone": ("predict.plain.backbone", "other"),
    "PredictConfig.method": ("predict.mine.method", "clip-fsar"),
    "PredictConfig.seed": ("predict.mine.seed", 2),
    "PredictConfig.model": (
        "predict.plain",
        {"support": "own.csv", "clips": "asked", "model": "results/models/tiny/small-clip/otam/shot1-seed1"},
    ),
    "SmallClipConfig.model": ("small_clip.model", "same-clip.json"),
    "SmallClipConfig.stills": ("small_clip.stills", 130),
    "SmallClipConfig.epochs": ("small_clip.epochs", 2),
    "SmallClipConfig.batch": ("small_clip.batch", 32),
    "SmallClipConfig.learning_rate": ("small_clip.learning_rate", 1e-3),
    "SmallClipConfig.seed": ("small_clip.seed", 1),
}
MISSING = "Missing output files"
DOWNLOADS = ("Archive", "KineticsArchives", "RegisteredFiles", "SourcesConfig", "PublishedSource")
# What lists rows, models or tests runs for those that are new; which stages that is depends on what is there already.
LISTS = {f"RunConfig.{name}" for name in ("benchmarks", "backbones", "methods", "ways", "shots", "seeds")}
LISTS |= {f"BenchmarkConfig.{name}" for name in ("variant_of", "methods", "shots", "trained")}
LISTS |= {"DemoSource.kind", "BackboneConfig.methods"}

# What is there only once it is asked for.
ASKED_FOR = {"PredictConfig.seed": {"train_model"}}


def with_change(values, path, value):
    """Return a config with one key set, `path` separated by dots; a section is merged."""
    *sections, key = path.split(".")
    changed = section = yaml.safe_load(yaml.safe_dump(values))
    for name in sections:
        section = section.setdefault(name, {})
    merge = isinstance(value, dict) and key == "training"
    section[key] = {**section.get(key, {}), **value} if merge else value
    return changed


@pytest.fixture(scope="module")
def finished(repository, tmp_path_factory):
    """A finished run of the tiny benchmark, and of a list of test videos alone, on which nothing is trained."""
    folder = copy_project(repository, tmp_path_factory.mktemp("reruns") / "project")
    values = yaml.safe_load((folder / "configs/tiny.yaml").read_text())
    del values["run"]["methods"], values["run"]["shots"]
    tiny = values["benchmarks"]["tiny"] | {
        "methods": ["clip-freeze", "otam", "clip-fsar", "clip-fsar-text"],
        "shots": [1],
    }
    own = {
        "source": {"kind": "csv", "file": "own.csv"},
        "methods": ["clip-freeze"],
        "shots": [1],
        "frames": {"size": 72, "shards": 4, "max_failed": 0.5, "quality": 80},
        "episodes": {"val": 20, "test": 60},
        "training": {"threads": 1, "workers": 0},
    }
    values["benchmarks"] = {"tiny": tiny, "own": own, "copy": {"variant_of": "tiny"}, "variant": {"variant_of": "tiny"}}
    values["run"]["benchmarks"] = ["tiny", "own"]
    values["backbones"] = {"other": {"model": "small-clip", "weights": "data/small_clip/small-clip.safetensors"}}
    (folder / "asked").mkdir()
    clips = {"support": "own.csv", "clips": "asked", "benchmark": "tiny"}
    values["predict"] = {"mine": {**clips, "method": "clip-fsar-text"}, "plain": {**clips, "method": "clip-freeze"}}
    video = make_video(folder / "video.mp4", 9)
    rows = []
    for label in range(4):
        for number in range(4):
            shutil.copy(video, folder / f"own {label} {number}.mp4")
            rows.append((f"own {label} {number}.mp4", f"own class {label}", "test"))
    shutil.copy(video, folder / "asked")
    write_listing(folder / "own.csv", rows)
    shutil.copy(folder / "own.csv", folder / "same.csv")
    shutil.copy(folder / "fsar/model/architectures/small-clip.json", folder / "same-clip.json")
    (folder / "rerun.yaml").write_text(yaml.safe_dump(values))
    snakemake(folder, *RUN)
    for name in ("given.safetensors", "same.safetensors"):
        shutil.copy(folder / "data/small_clip/small-clip.safetensors", folder / name)
    manifests = (pd.read_parquet(folder / f"data/{name}/manifest.parquet") for name in ("tiny", "own"))
    names = [name for manifest in manifests for name in manifest["class_name"].unique()]
    (folder / "described.json").write_text(json.dumps({name: f"A film of {name}." for name in names}))
    return folder


@pytest.fixture(scope="module")
def after(finished):
    """Rule → the rules that run after it, whatever it makes."""
    output = snakemake(finished, "--rulegraph", *RUN)
    names = dict(re.findall(r'(\d+)\[label ?= ?"(\w+)', output))
    following: dict[str, set[str]] = {name: set() for name in names.values()}
    for first, second in re.findall(r"(\d+) -> (\d+)", output):
        following[names[first]].add(names[second])

    def closure(rules):
        found, pending = set(), list(rules)
        while pending:
            rule = pending.pop()
            if rule not in found:
                found.add(rule)
                pending += following.get(rule, ())
        return found

    return closure


def test_every_key_makes_again_what_it_says(finished, after):
    keys = leaves(Config)
    decisive = {place: decided_by(*key) for place, key in keys.items() if decided_by(*key) is not None}
    here = {place for place in decisive if place.split(".")[0] not in DOWNLOADS}
    assert here - set(CHANGES) == {"CsvSource.kind"}  # the same change as of the other kind
    values = yaml.safe_load((finished / "rerun.yaml").read_text())
    runs = []
    for place, (path, value) in CHANGES.items():
        changed = with_change(values, path, value)
        if place == "BenchmarkConfig.variant_of":
            changed["run"]["benchmarks"] = ["tiny", "own", "variant"]
        if place == "BackboneConfig.library":  # timm's have no text
            changed["benchmarks"]["tiny"]["methods"] = ["clip-freeze", "otam"]
        if place in (
            "RunConfig.methods",
            "BackboneConfig.methods",
            "BackboneConfig.library",
        ):  # without the method that clips are labelled by
            del changed["predict"]["mine"]
        if place == "DemoSource.kind":
            changed["benchmarks"]["own"]["source"] |= changed["benchmarks"]["tiny"]["source"] | {"kind": "demo"}
        (finished / f"{place}.yaml").write_text(yaml.safe_dump(changed))
        runs.append(["--configfile", f"{place}.yaml"])
    wrong = []
    for place, output in zip(CHANGES, dry_runs(finished, runs), strict=True):
        rules = planned(output)
        declared = set(decisive[place])
        if not declared and "Nothing to be done" not in output:
            wrong.append(f"{place} decides nothing, but makes again {rules}\n{output[-1500:]}")
        if not declared:
            continue
        if not rules:
            wrong.append(f"{place} makes nothing again, not even {declared}\n{output[-1500:]}")
        if place not in LISTS and not declared <= set(rules):
            wrong.append(f"{place} does not make again {declared - set(rules)}, only {rules}")
        if unexpected := set(rules) - after(declared | {"write_index"} | ASKED_FOR.get(place, set())):
            wrong.append(f"{place} makes again {unexpected}, which does not follow from {declared}")
    assert wrong == [], "\n\n".join(wrong)


def test_clips_are_labelled_as_in_python_and_again_when_they_change(finished, monkeypatch):
    monkeypatch.chdir(finished)
    model = "results/models/tiny/small-clip/clip-fsar/shot1-seed1"
    classifier = FewShotClassifier.load(model, "clip-fsar-text", device="cpu").support("own.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv("results/predict/mine.csv", keep_default_na=False), classifier.predict("asked"), check_dtype=False
    )
    assert "<article>" in (finished / "results/predict/plain.html").read_text()
    clip = finished / "asked/video.mp4"
    before = clip.stat()
    clip.touch()
    # The page of results names the labels.
    assert set(planned(dry_runs(finished, [RUN])[0])) - {"all"} == {"predict_clips", "write_index"}
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert planned(dry_runs(finished, [RUN])[0]) == {}
