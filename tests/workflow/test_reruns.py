"""What is made again: for every key of the config, every video, every kind of change of the code."""

import json
import os
import re
import shutil

import pandas as pd
import pytest
import yaml

from fsar import FewShotClassifier
from fsar.config import Config, load
from fsar.config.heads import AdaptersConfig, HeadsConfig
from fsar.keys.declare import decided_by
from fsar.methods import METHODS, MODELS
from fsar.plan.plan import Plan
from fsar.plan.predict import PlannedPredictions
from tests.config.test_config import leaves
from tests.conftest import REPOSITORY
from tests.helpers.dry_runs import dry_runs, planned
from tests.helpers.other_values import another
from tests.helpers.predicting import backbone_of, make_model
from tests.helpers.small_models import SMALL_ADAPTERS, THREE_TEXTS
from tests.helpers.videos import make_video
from tests.helpers.workflow import snakemake, write_listing

RUN = ["--configfile", "rerun.yaml"]

# A value for each key that is not the one of the finished run: path in the config → value. Keys of downloads are
# tested where there is a server (tests/workflow/test_benchmarks.py).
CHANGES = {
    "Config.seed": ("seed", 1),
    "Config.device": ("device", "cpu"),
    "Config.own_methods": ("own_methods", [str(REPOSITORY / "tests/own/nearest_mean")]),
    "RunConfig.test_jobs": ("run.test_jobs", 2),
    "RunConfig.benchmarks": ("run.benchmarks", ["tiny", "own", "copy"]),
    "RunConfig.backbones": ("run.backbones", ["small-clip", "other"]),
    "RunConfig.methods": ("run.methods", ["clip-freeze", "clip-zero-shot"]),
    "RunConfig.ways": ("run.ways", [2]),
    "RunConfig.shots": ("run.shots", [2]),
    "RunConfig.seeds": ("run.seeds", [2]),
    "BenchmarkConfig.variant_of": ("benchmarks.variant.variant_of", "own"),
    "BenchmarkConfig.without": ("benchmarks.variant.without", ["Crescent_falling"]),
    "BenchmarkConfig.train_on": ("benchmarks.crossed.train_on", "copy"),
    "BenchmarkConfig.test_on": ("benchmarks.crossed", {"train_on": "copy", "test_on": "tiny", "methods": ["otam"]}),
    "BenchmarkConfig.remove": ("benchmarks.crossed.remove", "none"),
    "BenchmarkConfig.remove_sha256": ("benchmarks.crossed.remove_sha256", "0" * 64),
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
    "DemoSource.deal": ("benchmarks.tiny.source.deal", 1),
    "DemoSource.shapes": ("benchmarks.tiny.source.shapes", ["star", "heart"]),
    "DemoSource.clutter": ("benchmarks.tiny.source.clutter", 0.5),
    "DemoSource.speed": ("benchmarks.tiny.source.speed", 2.0),
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
    "SamplingConfig.window": ("benchmarks.tiny.sampling.window", 8),
    "SamplingConfig.step": ("benchmarks.tiny.sampling.step", 2),
    "SamplingConfig.at_test": ("benchmarks.tiny.sampling.at_test", "centres"),
    "SamplingConfig.views": ("benchmarks.tiny.sampling.views", 2),
    "EpisodesConfig.val": ("benchmarks.tiny.episodes.val", 21),
    "EpisodesConfig.test": ("benchmarks.tiny.episodes.test", 61),
    "EpisodesConfig.queries": ("benchmarks.tiny.episodes.queries", 2),
    "EpisodesConfig.in_all": ("benchmarks.tiny.episodes.in_all", 1),
    "EpisodesConfig.unknown": ("benchmarks.own.episodes.unknown", 1),
    "RunConfig.unknown_measures": ("run.unknown_measures", "per-episode"),
    "TextConfig.templates": ("benchmarks.tiny.text.templates", ["a film of {class_name}"]),
    "TextConfig.descriptions": (
        "text",
        {"templates": ["a photo of {class_name}", "{description}"], "descriptions": "described.json"},
    ),
    "TextConfig.average": ("text.average", "normalised"),
    "ClipFsarConfig.depth": ("heads.clip_fsar.depth", 2),
    "ClipFsarConfig.heads": ("heads.clip_fsar.heads", 4),
    "ClipFsarConfig.feed_forward": ("benchmarks.tiny.heads.clip_fsar.feed_forward", 32),
    "ClipFsarConfig.attention_dropout": ("heads.clip_fsar.attention_dropout", 0.1),
    "ClipFsarConfig.feed_forward_dropout": ("heads.clip_fsar.feed_forward_dropout", 0.1),
    "ClipFsarConfig.merge": ("heads.clip_fsar.merge", "after"),
    "ClipFsarConfig.smoothing": ("heads.clip_fsar.smoothing", 0.1),
    "ClipFsarConfig.text_weight": ("heads.clip_fsar.text_weight", 0.5),
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
    "TrainingConfig.flip": ("training.flip", True),
    "TrainingConfig.colour_jitter": ("training.colour_jitter", True),
    "TrainingConfig.stored_gb": ("training.stored_gb", 30.0),
    "TrainingConfig.batch_norm": ("training.batch_norm", "running"),
    "TrainingConfig.validate_every": ("benchmarks.tiny.training.validate_every", 4),
    "TrainingConfig.precision": ("training.precision", "bf16-mixed"),
    "TrainingConfig.logger": ("training.logger", "csv"),
    "TrainingConfig.float32": ("training.float32", "fp32"),
    "TrainingConfig.deterministic": ("training.deterministic", False),
    "TrainingConfig.checkpoint_minutes": ("benchmarks.tiny.training.checkpoint_minutes", 4.0),
    "TrainingConfig.activation_checkpointing": ("training.activation_checkpointing", True),
    "TrainingConfig.devices": ("benchmarks.tiny.training", {"devices": 2, "threads": 2}),
    "TrainingConfig.nodes": ("benchmarks.tiny.training.nodes", 2),
    "TrainingConfig.threads": ("benchmarks.tiny.training.threads", 2),
    "TrainingConfig.workers": ("benchmarks.tiny.training", {"workers": 1, "threads": 2}),
    "BackboneConfig.model": ("backbones.small-clip.model", "same-clip.json"),
    "BackboneConfig.weights": ("backbones.small-clip.weights", "same.safetensors"),
    "BackboneConfig.library": ("backbones.small-clip", {"library": "timm", "model": "test_vit", "size": 64}),
    "BackboneConfig.size": ("backbones.small-clip.size", 32),
    "BackboneConfig.methods": ("backbones.small-clip.methods", ["clip-freeze"]),
    "BackboneConfig.features": ("backbones.small-clip.features", "clips"),
    "BackboneConfig.words": ("backbones.small-clip.words", f"owner/name@{'0' * 40}"),
    "BackboneConfig.published_as": ("backbones.small-clip.published_as", "CLIP-RN50"),
    "BackboneConfig.saw": ("backbones.small-clip.saw", {"shapes": ["tiny"]}),
    "BackboneConfig.licence": ("backbones.small-clip.licence", "mine"),
    "PredictConfig.support": ("predict.mine.support", "same.csv"),
    "PredictConfig.clips": ("predict.mine.clips", "same.csv"),
    "PredictConfig.benchmark": ("predict.plain.benchmark", "own"),
    "PredictConfig.backbone": ("predict.plain.backbone", "other"),
    "PredictConfig.method": ("predict.mine.method", "clip-fsar"),
    "PredictConfig.seed": ("predict.mine.seed", 2),
    "PredictConfig.frames": ("predict.mine.frames", "drawn"),
    "PredictConfig.unknown": ("predict.mine.unknown", 0.2),
    "PredictConfig.motion": ("predict.mine.motion", 0.5),
    "PredictConfig.model": (
        "predict.plain",
        {"support": "own.csv", "clips": "asked", "model": "results/models/tiny/small-clip/otam/shot1-seed1"},
    ),
    "SmallClipConfig.model": ("small_clips.small-clip.model", "same-clip.json"),
    "SmallClipConfig.stills": ("small_clips.small-clip.stills", 130),
    "SmallClipConfig.epochs": ("small_clips.small-clip.epochs", 2),
    "SmallClipConfig.batch": ("small_clips.small-clip.batch", 32),
    "SmallClipConfig.learning_rate": ("small_clips.small-clip.learning_rate", 1e-3),
    "SmallClipConfig.seed": ("small_clips.small-clip.seed", 1),
}
# Keys of heads, adapters and the optimizer, which reach the parameters of rules as those above do: there is no dry run
# for each, but the parameters are compared.
PARAMETERS = {
    "TrainingConfig.views": ("training.views", 2),
    "TrainingConfig.unknown": ("training.unknown", 3),
    "TrainingConfig.unknown_weight": ("training.unknown_weight", 2.0),
    "TrainingConfig.optimizer": ("training.optimizer", "adamw"),
    "TrainingConfig.momentum": ("training.momentum", 0.9),
    "TrainingConfig.nesterov": ("training", {"momentum": 0.9, "nesterov": True}),
    "TrainingConfig.betas": ("training.betas", [0.5, 0.999]),
    "TrainingConfig.epsilon": ("training.epsilon", 1e-6),
    "TrainingConfig.schedule": ("training.schedule", "cosine"),
    "TrainingConfig.factors": ("benchmarks.tiny.training.factors", [0.5]),
    "TrainingConfig.loss_over_queries": ("training.loss_over_queries", "sum"),
    "ChamferppConfig.smoothing": ("heads.chamferpp", {"metric": "otam", "smoothing": 0.2}),
}
for part, sections in (("heads", HeadsConfig), ("adapters", AdaptersConfig)):
    for folder, field in sections.model_fields.items():
        kind = field.annotation
        PARAMETERS |= {
            f"{kind.__name__}.{name}": (f"{part}.{folder}.{name}", another(kind, name))
            for name in kind.model_fields
            if f"{kind.__name__}.{name}" not in {**CHANGES, **PARAMETERS}
        }
# The sections whose keys are parameters of these rules, one by one.
SECTIONS = {f"{name.title()}Config": name for name in ("frames", "sampling", "text", "backbone", "training")}
SECTIONS["ClipFsarConfig"] = "head"
BY_KEY = {"decode_frames", "train_model", "encode_features", "predict_clips"}
MISSING = "Missing output files"
# Of these the change is one of several keys at once.
SEVERAL = {"BackboneConfig.library", "PredictConfig.model"}
TWO_LINES = 2 * 120  # characters of a reason, on a terminal
# Of these nothing is asked for here; `train_small_video` is planned by tests/workflow/test_video.py.
NOT_HERE = ("SmallVideoConfig",)
DOWNLOADS = (*NOT_HERE, "Archive", "Mirror", "KineticsArchives", "RegisteredFiles", "SourcesConfig", "PublishedSource")
# What lists rows, models or tests runs for those that are new; which stages that is depends on what is there already.
LISTS = {f"RunConfig.{name}" for name in ("benchmarks", "backbones", "methods", "ways", "shots", "seeds")}
LISTS |= {f"BenchmarkConfig.{name}" for name in ("variant_of", "without", "methods", "shots", "trained")}
LISTS |= {f"BenchmarkConfig.{name}" for name in ("train_on", "test_on", "remove")}
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
def finished(tiny_run, tmp_path_factory):
    """A finished run of the tiny benchmark, and of a list of test videos alone, on which nothing is trained."""
    folder = tmp_path_factory.mktemp("reruns") / "project"
    shutil.copytree(tiny_run, folder, copy_function=shutil.copy2)  # whose data and models are those of this run
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
        "episodes": {"val": 20, "test": 60, "unknown": 2},
        "training": {"threads": 1, "workers": 0},
    }
    values["benchmarks"] = {"tiny": tiny, "own": own, "copy": {"variant_of": "tiny"}, "variant": {"variant_of": "tiny"}}
    # Not run, but by the changes of its keys.
    crossed = {"train_on": "tiny", "test_on": "own", "remove": "overlaps.csv", "methods": ["otam"]}
    values["benchmarks"]["crossed"] = crossed
    (folder / "overlaps.csv").write_text("source,target,class_in_source\ntiny,own,crescent_falling\n")
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
    # The same change as of the other kind.
    assert here - set(CHANGES) - set(PARAMETERS) == {"CsvSource.kind"} and not set(CHANGES) & set(PARAMETERS)
    values = yaml.safe_load((finished / "rerun.yaml").read_text())
    runs = []
    for place, (path, value) in CHANGES.items():
        changed = with_change(values, path, value)
        if place in ("BenchmarkConfig.variant_of", "BenchmarkConfig.without"):
            changed["run"]["benchmarks"] = ["tiny", "own", "variant"]
        if place in ("BenchmarkConfig.train_on", "BenchmarkConfig.test_on", "BenchmarkConfig.remove"):
            changed["run"]["benchmarks"] = ["tiny", "own", "crossed"]
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
    outputs = dict(zip(CHANGES, dry_runs(finished, runs), strict=True))
    own = "Config.own_methods"  # which are named before the package is imported
    outputs[own] = snakemake(finished, "--dry-run", "--configfile", f"{own}.yaml", anew=True)
    for place, output in outputs.items():
        rules = planned(output)
        reasons = [reason for own in rules.values() for reason in own if reason.startswith("Params have changed")]
        wrong += [
            f"{place}: a reason is too long to read: {reason[:400]}"
            for reason in reasons
            if len(reason) > TWO_LINES * (2 if place in SEVERAL else 1)
        ]
        # A shot is in the name of the training.
        kind, _, key = place.partition(".")
        if kind in SECTIONS and set(decisive[place]) & BY_KEY and place != "TrainingConfig.shot":
            named = rf"[ ,]({SECTIONS[kind]}\.)?{key}=|^(Updated input files|Set of input files has changed)"
            for rule in set(decisive[place]) & BY_KEY & set(rules):
                # Without a reason of its own it follows another rule, which names the key.
                if rules[rule] and not any(re.search(named, reason) for reason in rules[rule]):
                    wrong.append(f"{place}: no reason of {rule} names {key}, or a file: {rules[rule]}")
        # No head is trained alone in this run: tests/config/test_settings.py looks at what decides that rule.
        declared = set(decisive[place]) - {"encode_training"}
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


def of_model(model):
    """The backbone that fits a model: one of video where its adapters are for such."""
    return "small-videomae" if MODELS[model].for_video else "small-clip"


def parameters(values, models):
    """Return what decides the result of each rule that a head or its training reaches, for each model."""
    plan = Plan(load(values))
    predictions = PlannedPredictions(plan)
    found = {}
    for model in models:
        settings = plan.config.of("tiny", of_model(model), model)
        for stage in ("train_model", "encode_features", "evaluate_model", "encode_training"):
            found[stage, model] = settings.decisive(stage)
        found["predict_clips", model] = predictions.model(model)
    return found


def test_every_key_of_a_head_and_of_the_optimizer_reaches_the_rules_it_says(repository):
    models = [name for name, parts in MODELS.items() if parts.trained and not parts.fixed and name in METHODS]
    values = yaml.safe_load((repository / "configs/tiny.yaml").read_text())
    values["run"]["methods"] = list(models)
    values["backbones"] = {
        "small-clip": {"model": "small-vit-clip", "weights": "small.safetensors"},
        "small-videomae": {"library": "transformers", "model": "small-videomae", "weights": "video.safetensors"},
    }
    values["run"]["backbones"] = list(values["backbones"])
    clips = {"support": "a.csv", "clips": "b", "benchmark": "tiny"}
    values["predict"] = {model: {**clips, "method": model, "backbone": of_model(model)} for model in models}
    keys, before = leaves(Config), parameters(values, models)
    for place, (path, value) in PARAMETERS.items():
        now = parameters(with_change(values, path, value), models)
        head, adapters = (re.search(rf"{part}\.(\w+)", path) for part in ("heads", "adapters"))
        own = [
            model
            for model in models
            if (head is None or MODELS[model].head == head[1])
            and (adapters is None or MODELS[model].adapters == adapters[1])
            and (not place.startswith("TrainingConfig.unknown") or MODELS[model].unknown)
        ]
        declared = set(decided_by(*keys[place]))
        if place == "TrainingConfig.views":  # of trainings of a head alone; the rule of the others is never run
            expected = {("encode_training", model) for model in models}
            expected |= {("train_model", model) for model in models if MODELS[model].encoded_once}
            assert {at for at in before if now[at] != before[at]} == expected
            continue
        # What is kept of maps is the head's; of frames it is the backbone's.
        kept = {"encode_features"} if "train_model" in declared and head else set()
        expected = {(rule, model) for model in own for rule in declared}
        expected |= {(rule, model) for model in own for rule in kept if MODELS[model].stores_its_own}
        layers = {"encode_training"} if "train_model" in declared and head else set()  # whose tokens the head asks for
        expected |= {(rule, model) for model in own for rule in layers if MODELS[model].needs == "tokens"}
        assert {at for at in before if now[at] != before[at]} == expected, place


def test_clips_are_labelled_as_in_python_and_again_when_they_change(finished, monkeypatch):
    monkeypatch.chdir(finished)
    model = "results/models/tiny/small-clip/clip-fsar/shot1-seed1"
    classifier = FewShotClassifier.load(model, "clip-fsar-text", device="cpu").support("own.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv("results/predict/mine.csv", keep_default_na=False), classifier.predict("asked"), check_dtype=False
    )
    assert "<article " in (finished / "results/predict/plain.html").read_text()
    clip = finished / "asked/video.mp4"
    before = clip.stat()
    clip.touch()
    # The page of results names the labels.
    assert set(planned(dry_runs(finished, [RUN])[0])) - {"all"} == {"predict_clips", "write_index"}
    os.utime(clip, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert planned(dry_runs(finished, [RUN])[0]) == {}


@pytest.fixture(scope="module")
def in_parts(finished):
    """Tests in two jobs, of a method whose features depend on the episode, on given weights: arguments, their file."""
    model = make_model(finished, "task-adapter") / "model.safetensors"
    values = yaml.safe_load((finished / "rerun.yaml").read_text())
    values["run"] |= {"benchmarks": ["own"], "backbones": ["small-vit"], "test_jobs": 2}
    about = backbone_of(finished, "task-adapter")
    values["backbones"] = {"small-vit": {"model": about.model, "weights": about.weights}}
    values["benchmarks"]["own"] |= {
        "methods": ["task-adapter"],
        "trained": {"small-vit": {"task-adapter": str(model)}},
        "adapters": SMALL_ADAPTERS,
        "text_of_model": {"task-adapter": {"templates": THREE_TEXTS.templates}},
    }
    del values["predict"]
    for jobs in (1, 2, 3):
        values["run"]["test_jobs"] = jobs
        (finished / f"parts{jobs}.yaml").write_text(yaml.safe_dump(values))
    path = "results/predictions/own/small-vit/task-adapter/given.parquet"
    snakemake(finished, path, "--configfile", "parts2.yaml")
    return [path], path


def jobs_of(output, rule):
    return len(re.findall(rf"^ *(?:local)?rule {rule}:$", output, re.MULTILINE))


def test_another_number_of_jobs_repeats_no_finished_test(finished, in_parts):
    """After the tests are finished, and while part of them is."""
    target, path = in_parts
    others = [[*target, "--configfile", f"parts{jobs}.yaml"] for jobs in (1, 2, 3)]
    assert all("Nothing to be done" in output for output in dry_runs(finished, others))

    whole = (finished / path).read_bytes()
    part = path.removesuffix(".parquet") + "/part1of2.parquet"
    snakemake(finished, part, "--configfile", "parts2.yaml", "--force")
    (finished / path).unlink()
    for output in dry_runs(finished, others):  # the other part alone is missing
        assert jobs_of(output, "evaluate_part") == 1 and "part0of2" in output and "part1of2" in output
    snakemake(finished, *target, "--configfile", "parts3.yaml")
    assert (finished / path).read_bytes() == whole
    assert not list((finished / path).with_suffix("").glob("*"))

    # With nothing there, it is what the config says.
    (finished / path).unlink()
    assert jobs_of(dry_runs(finished, [others[2]])[0], "evaluate_part") == 3
    (finished / path).write_bytes(whole)
