"""The config model: what it accepts, and how it tells what is wrong."""

import copy
import json
import re
import typing
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from snakemake.utils import update_config

from fsar.config import Config, layers, load
from fsar.config.check import check_pictures, check_source_counts
from fsar.config.overview import decisive_record, effective, left_out, without_effect
from fsar.config.written_twice import check_written_once
from fsar.errors import UserError
from fsar.keys.declare import NOTHING, Section, decided_by
from fsar.methods import METHODS, MODELS
from fsar.model.class_texts import class_texts
from fsar.plan import paths
from fsar.plan.checks import check_before_jobs
from fsar.plan.plan import Plan
from fsar.plan.rows import rows, rows_of_deals
from tests.helpers.workflow import write_listing
from tools.generate import PAGE, documentation, page, schema, tables

# Methods but those of encoders of video.
PICTURES = [name for name, method in METHODS.items() if not method.components.for_video]
LAYERS = "visual transformer with plain blocks"


@pytest.fixture
def values(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


def changed(values, path, value):
    """Return a copy of the config with one key set, `path` separated by dots."""
    values = copy.deepcopy(values)
    *sections, key = path.split(".")
    section = values
    for name in sections:
        section = section.setdefault(name, {})
    section[key] = value
    return values


def test_the_default_config_is_valid_and_fits_the_schema(values):
    assert load(values).run.benchmarks == ["demo"]
    jsonschema.validate(values, schema())


def test_the_demos_own_clips_are_trained_as_the_backbones_that_have_their_weights(values):
    config = load(values)
    made = {name: paths.SMALL_CLIP.format(small_clip=name) for name in config.small_clips}
    assert set(made) == {"small-clip", "small-vit"}
    for name, own in config.small_clips.items():
        backbone = config.backbones[name]
        assert (backbone.weights, backbone.model) == (made[name], own.model)
        assert backbone.facts().size == 64  # what stills are rendered at


def test_what_does_not_fit_the_layers_of_a_backbone_is_told_before_any_job(values):
    transformers = ["emp-net", "ts-fsar", "task-adapter", "d2st"]
    run = values["run"] | {"backbones": ["small-vit"], "methods": transformers}
    with pytest.raises(UserError) as told:
        check_before_jobs(Plan(load({**values, "run": run})), own_environments=False)
    for pattern in (
        r"heads\.empnet\.levels is 12 .* valid value is 6",
        "temporal_layers is 10 .* is 5",
        "side_width is 256 .* is 96",
        r"adapters\.task_adapter\.text_blocks is 8 .* is 2",
        "on 'demo' there are 1: name 3 templates",
        r"spatial_kernel \(rows and columns\) is 5 .* is 4",
        r"temporal_kernel \(rows and columns\) is 7 .* is 4",
    ):
        assert re.search(pattern, str(told.value)), pattern
    demo = values["benchmarks"]["demo"] | {"text_of_model": {"task-adapter-published": {"templates": ["a", "b", "c"]}}}
    run = values["run"] | {"backbones": ["small-vit"], "methods": ["task-adapter-published"]}
    with pytest.raises(UserError, match=r"one query of each class: .*task-adapter-published\.queries"):
        load({**values, "run": run, "benchmarks": {**values["benchmarks"], "demo": demo}})


def test_generated_files_are_current(repository):
    written = json.loads((repository / "configs/schema.json").read_text())
    assert written == json.loads(json.dumps(schema())), "run `make docs`"
    assert (repository / "docs/config.md").read_text() == documentation() + "\n", "run `make docs`"
    assert PAGE.read_text() == page(), "run `make docs`"
    assert all(f"| `{name}` |" in tables() for name in METHODS)


def test_every_key_is_documented():
    sections = [schema(), *schema()["$defs"].values()]
    undocumented = [
        (section["title"], key)
        for section in sections
        for key, value in section["properties"].items()
        if not value.get("description") and key != "kind"
    ]
    assert undocumented == []


def test_a_benchmark_overlays_the_general_settings(values):
    values = changed(values, "training.weight_decay", 0.5)
    training = layers.training(load(values), "demo", "small-clip")
    assert training.weight_decay == 0.5  # general
    assert training.queries == 3  # the benchmark's own


def test_a_backbone_overlays_the_benchmark(values):
    values = changed(values, "benchmarks.demo.training_of_backbone", {"RN50": {"learning_rate": 0.5}})
    config = load(values)
    assert layers.training(config, "demo", "RN50").learning_rate == 0.5
    assert layers.training(config, "demo", "RN50").queries == 3
    assert layers.training(config, "demo", "small-clip").learning_rate == 3e-4


# λ_vt, base rate, warm-up from, S, milestones, iterations, evaluated every: the table of the public settings.
RECIPES = {
    "kinetics100": (1.5, 1e-5, 5e-6, 250, [750, 1250], 5000, 100),
    "hmdb51": (1.2, 1e-5, 1e-6, 700, [1400, 2100], 5000, 300),
    "ucf101": (1.5, 2e-6, 1e-7, 600, [1200, 1800], 3000, 100),
    "ssv2_full": (3.0, 5e-5, 1e-5, 4000, [8000, 12000], 30000, 1000),
    "ssv2_small": (3.0, 5e-5, 2e-5, 2000, [4000, 6000], 30000, 1000),
}


def test_the_recipes_are_the_published_ones(values):
    config = load(values)
    keys = ("learning_rate", "warmup_from", "warmup_iterations", "milestones", "iterations")
    for benchmark, recipe in RECIPES.items():
        for backbone in ("RN50", "ViT-B-16"):
            training = layers.training(config, benchmark, backbone)
            weight = config.of(benchmark, backbone, "clip-fsar").head.video_text_weight
            assert (weight, *(getattr(training, key) for key in keys), training.validate_every) == recipe
            assert (training.way, training.shot, training.queries, training.tasks_per_step) == (5, 1, 5, 4)
        kinetics = benchmark == "kinetics100"
        assert (training.flip, training.colour_jitter) == (kinetics, kinetics)
        assert config.videos(benchmark).sampling.strategy == ("span" if kinetics else "segments")
        assert config.shots(benchmark) == ([1, 2, 3, 4, 5] if benchmark in ("kinetics100", "ssv2_full") else [1, 3, 5])


def leaves(kind, found=None):
    """Every key of a section and of those below it: (name of the section, key, kind of the section)."""
    found = {} if found is None else found
    for name, field in kind.model_fields.items():
        found[f"{kind.__name__}.{name}"] = (kind, name)
        for part in [field.annotation, *typing.get_args(field.annotation)]:
            for inner in [part, *typing.get_args(part)]:
                for section in [inner, *typing.get_args(inner)]:
                    if isinstance(section, type) and issubclass(section, Section):
                        leaves(section, found)
    return found


def test_every_key_says_what_it_decides(repository):
    rules = "".join(path.read_text() for path in (repository / "rules").glob("*.smk"))
    names = set(re.findall(r"^rule (\w+):", rules, re.MULTILINE))
    for place, (kind, name) in leaves(Config).items():
        decided = decided_by(kind, name)
        assert decided is not None or place.split(".")[0] in (
            "Config",
            "BenchmarkConfig",
            "BackboneConfig",
            "SourcesConfig",
            "HeadsConfig",
            "AdaptersConfig",
        ), place
        assert set(decided or ()) <= names, place
    execution = {place for place, key in leaves(Config).items() if decided_by(*key) == NOTHING}
    assert {
        "Config.device", "Config.own_methods",
        "TrainingConfig.stored_gb", "TrainingConfig.threads", "TrainingConfig.workers", "TrainingConfig.devices",
        "TrainingConfig.logger", "TrainingConfig.checkpoint_minutes", "TrainingConfig.activation_checkpointing",
        "TrainingConfig.nodes", "TrainingConfig.deterministic", "FramesConfig.timeout",
        "BenchmarkConfig.remove_sha256",
        "SourcesConfig.rate_limit", "SourcesConfig.retries", "SourcesConfig.pause", "SourcesConfig.timeout",
        "RunConfig.test_jobs", "SourcesConfig.split_lists", "Archive.mirrors", "KineticsArchives.mirrors",
        "Mirror.url", "Mirror.bytes", "Mirror.sha256",
    } == execution  # fmt: skip


@pytest.mark.parametrize(
    ("mirrors", "told"),
    [
        ("https://mine/v.rar", "sources.ucf101.mirrors is 'https://mine/v.rar'"),
        (["mine/v.rar"], "mirrors.0.url is 'mine/v.rar'; it must be a URL that begins with http:// or https://"),
        (
            [{"url": "https://mine/v.rar", "sha": "0"}],
            "unknown key sources.ucf101.mirrors.0.sha; did you mean 'sha256'",
        ),
        ([{"url": "https://mine/v.rar", "sha256": "0"}], "mirrors.0.sha256 is '0'; it must be 64 hexadecimal digits"),
        ([{"url": "https://mine/v.rar", "bytes": 0}], "mirrors.0.bytes is 0; the nearest valid value is 1"),
    ],
)
def test_mirrors(values, mirrors, told):
    for right in ([], ["https://mine/v.rar", {"url": "http://mine/v.zip", "bytes": 7, "sha256": "0" * 64}]):
        named = changed(values, "sources.ucf101.mirrors", right)
        jsonschema.validate(named, schema())
        assert len(load(named).sources.ucf101.mirrors) == len(right)
    with pytest.raises(UserError, match=re.escape(told)):
        load(changed(values, "sources.ucf101.mirrors", mirrors))


def test_what_is_asked_for_in_this_run_comes_before_a_benchmarks_own(values):
    values = changed(values, "run.benchmarks", ["hmdb51", "kinetics100"])
    assert [load(values).shots(name) for name in ("hmdb51", "kinetics100")] == [[1, 3, 5], [1, 2, 3, 4, 5]]
    values = changed(changed(values, "run.shots", [1]), "run.methods", ["otam"])
    config = load(values)
    assert [config.shots(name) + config.methods(name, "small-clip") for name in config.run.benchmarks] == [
        [1, "otam"]
    ] * 2


def test_a_backbone_is_run_with_the_methods_that_fit_it(values):
    values["run"] |= {"backbones": ["RN50", "INet-RN50", "ViT-B-16"], "methods": PICTURES}
    values["benchmarks"]["demo"]["episodes"] = {"queries": 1}
    values["benchmarks"]["demo"]["training_of_model"] = {"task-adapter-published": {"queries": 1}}
    config = load(values)
    assert config.methods("demo", "ViT-B-16") == PICTURES
    layers = {"otam-lora", "otam-aim", "emp-net", "ts-fsar", "task-adapter"}
    assert layers <= {*METHODS} - {*config.methods("demo", "RN50")}
    left = set(config.methods("demo", "INet-RN50"))
    assert {"clip-freeze", "otam", "trx", "strm", "hyrsm", "hyrsmpp", "molo", "team", "d2st"} <= left
    assert not left & {*layers, "clip-fsar", "clip-zero-shot", "clip-spm"} and left < {*config.methods("demo", "RN50")}
    told = {line.partition(", so")[0]: line for line in left_out(config)}
    assert set(told) == {f"INet-RN50 has no {one}" for one in ("text encoder", LAYERS)} | {f"RN50 has no {LAYERS}"}
    assert "otam-lora" in told[f"RN50 has no {LAYERS}"] and "clip-fsar" in told["INet-RN50 has no text encoder"]


def test_a_method_that_fits_no_backbone_is_told_where_it_was_asked_for_by_name(values):
    values["run"]["backbones"] = ["small-clip", "INet-RN50"]
    assert load(values).methods("demo", "INet-RN50") == ["clip-freeze", "nearest-centroid", "linear-probe", "otam"]
    for methods, told in (
        (["otam", "emp-net"], f"names 'emp-net', but small-clip has no {LAYERS} and INet-RN50 has no text encoder"),
        (["clip-fsar"], "none of the methods of benchmark 'demo' fits the backbone 'INet-RN50'"),
    ):
        with pytest.raises(UserError, match=told):
            load(changed(values, "run.methods", methods))
    for backbone, methods, lacks in (
        ("small-clip", ["otam-aim"], LAYERS),
        ("INet-RN50", ["clip-fsar"], "text encoder"),
    ):
        with pytest.raises(
            UserError, match=rf"backbones\.{backbone}\.methods names .*, but the backbone has no {lacks}"
        ):
            load(changed(values, f"backbones.{backbone}.methods", methods))
    values["backbones"]["INet-RN50"]["methods"] = ["otam", "trx"]
    assert load(changed(values, "run.methods", ["clip-fsar", "otam"])).methods("demo", "INet-RN50") == ["otam"]
    with pytest.raises(UserError, match=r"run\.methods names none of backbones\.INet-RN50\.methods, otam, trx"):
        load(changed(values, "run.methods", ["clip-fsar"]))


def test_frames_smaller_than_a_backbones_pictures_are_told(values):
    values["run"]["benchmarks"] = ["demo", "hmdb51"]
    check_pictures(load(values), {"a": 72})
    with pytest.raises(UserError) as error:
        check_pictures(load(values), {"a": 72, "b": 224, "c": 336})
    assert "frames.size of benchmark 'demo' is 72, but backbone 'b' is given pictures of 224 pixels" in str(error.value)
    assert "frames.size of benchmark 'hmdb51' is 256, but backbone 'c'" in str(error.value)
    assert str(error.value).count("frames.size") == 3


def test_a_general_key_that_does_not_hold_is_named_with_what_comes_before_it(values):
    values = changed(changed(values, "training", {"iterations": 7, "weight_decay": 0.5}), "run.benchmarks", ["hmdb51"])
    config = load(values)
    assert list(without_effect(config)) == [
        "training.iterations = 7 does not hold everywhere: benchmarks.hmdb51.training.iterations is 5000, "
        "which comes before it"
    ]
    asked = load(changed(values, "run.shots", [1]))
    assert "benchmarks.hmdb51.shots = [1, 3, 5] does not hold: run.shots is [1], which comes before it" in list(
        without_effect(asked)
    )
    (row,) = effective(config)
    assert "training.weight_decay=0.5" in row["settings that are no defaults"]
    assert row["shots"] == "1 3 5" and "training.iterations" not in row["settings that are no defaults"]


def test_what_decides_leaves_out_how_a_job_is_run(values):
    before = decisive_record(load(values))
    for path, value in (
        ("device", "cpu"),
        ("benchmarks.demo.training.checkpoint_minutes", 7.0),
        ("sources.pause", 9.0),
    ):
        assert decisive_record(load(changed(values, path, value))) == before
    assert decisive_record(load(changed(values, "benchmarks.demo.heads.clip_fsar.heads", 8))) == before  # its default
    assert decisive_record(load(changed(values, "benchmarks.demo.heads.clip_fsar.heads", 4))) != before


def test_test_classes_alone_are_enough_where_nothing_is_trained(values):
    own = {"source": {"kind": "csv", "file": "videos.csv"}, "methods": ["clip-freeze", "clip-zero-shot"], "shots": [1]}
    values = changed(changed(values, "benchmarks.own", own), "run.benchmarks", ["own"])
    counts = {"test": dict.fromkeys("abcde", 6)}
    check_source_counts(load(values), "own", counts)
    given = changed(values, "benchmarks.own.methods", ["otam"])
    given = changed(given, "benchmarks.own.trained", {"small-clip": {"otam": "weights.safetensors"}})
    check_source_counts(load(given), "own", counts)
    with pytest.raises(UserError, match="benchmark 'own' has no train class, which otam is trained on"):
        check_source_counts(load(changed(values, "benchmarks.own.methods", ["otam"])), "own", counts)


def test_zero_shot_alone_needs_no_support(values):
    own = {"source": {"kind": "csv", "file": "videos.csv"}, "methods": ["clip-zero-shot"]}
    values = changed(changed(values, "benchmarks.own", own), "run.benchmarks", ["own"])
    config = load(values)
    assert config.test_shots("own") == [0] and config.videos_needed("own")["test"] == 1
    check_source_counts(config, "own", {"test": dict.fromkeys("abcde", 1)})


def test_a_variant_is_checked_by_its_own_settings(values):
    own = {"source": {"kind": "csv", "file": "videos.csv"}, "licence": "mine"}
    values = changed(changed(values, "benchmarks.own", own), "run.benchmarks", ["variant"])
    values = changed(values, "benchmarks.variant", {"variant_of": "own", "methods": ["clip-freeze"], "shots": [3]})
    config = load(values)
    assert (
        config.videos_needed("own") == {"train": 0, "val": 0, "test": 4} and config.own("variant", "licence") == "mine"
    )
    check_source_counts(config, "variant", {"test": dict.fromkeys("abcde", 4)})
    with pytest.raises(UserError, match="the largest valid shot is 2"):
        check_source_counts(config, "variant", {"test": dict.fromkeys("abcde", 3)})


def test_a_variant_comes_after_the_benchmark_it_is_of(values):
    """In every section that may be overlaid, of heads and of a backbone: its own value holds, and else the base's."""
    own = {
        "sampling": {"frames": 4, "strategy": "span"},
        "heads": {"team": {"tokens": 7, "dropout": 0.3}, "clip_fsar": {"smoothing": 0.7, "depth": 2}},
        "training": {"learning_rate": 0.1, "queries": 2, "warmup_from": 0.0},
        "training_of_backbone": {"RN50": {"learning_rate": 0.2}},
        "training_of_model": {"team": {"iterations": 5, "way": 2}},
        "text": {"average": "normalised"},
    }
    varied = {
        "variant_of": "demo",
        "sampling": {"frames": 6},
        "heads": {"team": {"tokens": 9}, "clip_fsar": {"smoothing": 0.9}},
        "training": {"queries": 4},
        "training_of_backbone": {"RN50": {"learning_rate": 0.4}},
        "training_of_model": {"team": {"iterations": 8}},
        "text": {"average": "plain"},
    }
    values = changed(values, "benchmarks.demo", values["benchmarks"]["demo"] | own)
    config = load(changed(values, "benchmarks.varied", varied))
    expected = {"demo": (4, 0.7, 7, 2, 0.2, 5, "normalised"), "varied": (6, 0.9, 9, 4, 0.4, 8, "plain")}
    for name, (frames, smoothing, tokens, queries, rate, iterations, average) in expected.items():
        sampling, head = config.videos(name).sampling, config.of(name, "RN50", "clip-fsar").head
        assert (sampling.frames, sampling.strategy, head.smoothing, head.depth) == (frames, "span", smoothing, 2)
        team = config.of(name, "RN50", "team").head
        assert (team.tokens, team.dropout) == (tokens, 0.3)
        training = config.of(name, "RN50", "team").training
        assert (training.queries, training.learning_rate, training.way) == (queries, rate, 2)
        assert training.iterations == iterations and layers.text(config, name).average == average
        assert layers.training(config, name, "small-clip").learning_rate == 0.1


@pytest.mark.parametrize(
    ("episodes", "told"),
    [
        ({"in_all": 5, "queries": 2}, r"in_all .* is 5, but episodes\.queries is 2, .* nearest valid value .* is 5"),
        ({"in_all": 2, "queries": 2, "unknown": 1}, r"in_all .* is 2, and episodes\.unknown 1: one of them must be 0"),
    ],
)
def test_queries_in_all_that_do_not_fit_are_told(values, episodes, told):
    values["benchmarks"]["demo"]["episodes"] = episodes
    with pytest.raises(UserError, match=told):
        load(values)


def test_validation_takes_the_queries_of_tests_and_training_its_own(values):
    values = changed(values, "run.methods", ["clip-freeze", "otam"])
    values = changed(changed(values, "benchmarks.demo.training.queries", 6), "benchmarks.demo.episodes.queries", 2)
    values = changed(changed(values, "run.shots", [1, 3]), "benchmarks.demo.training.shot", 4)
    config = load(changed(values, "benchmarks.demo.source.videos_per_class", {"train": 99, "val": 98, "test": 97}))
    drawn = {split: (shot, queries) for split, _, shot, queries in config.episodes_drawn("demo")}
    assert drawn == {"test": (3, 2), "train": (4, 6), "val": (4, 2)}
    assert config.videos_needed("demo") == {"train": 10, "val": 6, "test": 5}
    check_source_counts(
        config, "demo", {split: dict.fromkeys("abcdefgh", n) for split, n in config.videos_needed("demo").items()}
    )


def test_of_several_trainings_the_largest_counts_whatever_their_order(values):
    """A class needs the videos of the model that takes most of them, be it the first or the last."""
    values = changed(values, "benchmarks.demo.source.videos_per_class", {"train": 99, "val": 98, "test": 97})
    for large, small in (("otam", "clip-fsar"), ("clip-fsar", "otam")):
        own = {large: {"shot": 9, "queries": 4}, small: {"shot": 2, "queries": 1}}
        config = load(
            changed(changed(values, "run.methods", ["otam", "clip-fsar"]), "benchmarks.demo.training_of_model", own)
        )
        queries = config.videos("demo").episodes.queries
        needed = config.videos_needed("demo")
        assert (needed["train"], needed["val"]) == (13, 9 + queries)


@pytest.mark.parametrize(("seed", "shot"), [(1, None), (12, None), (1, 1), (3, 10), (123, 15)])
def test_names_of_trainings_are_read_back_whatever_their_digits(seed, shot):
    name = paths.training_name(seed, shot)
    assert (paths.seed_of(name), paths.shot_of(name)) == (seed, shot)
    assert paths.seed_of(paths.UNTRAINED) is paths.shot_of(paths.GIVEN) is None


def test_published_values_are_the_defaults():
    config = Config(benchmarks={}, backbones={})
    assert (config.frames.size, config.sampling.frames, config.episodes.test) == (256, 8, 10000)
    head = config.heads.clip_fsar
    assert (head.depth, head.heads, head.feed_forward, head.video_text_weight) == (1, 8, 2048, 1.5)
    assert (head.attention_dropout, head.feed_forward_dropout, head.smoothing) == (0.2, 0.05, 0.5)
    assert (head.text_weight, head.merge) == (0.9, "before") and config.heads.otam.smoothing == 0.5
    assert (config.training.tasks_per_step, config.training.weight_decay, config.training.queries) == (4, 1e-3, 5)
    assert config.training.batch_norm == "apart"


# Benchmarks with fewer frames than a head needs.
FEW = {"source": {"kind": "demo"}, "sampling": {"frames": 2}}
LONG = FEW | {
    "methods": ["strm", "strm-published"],
    "sampling": {"frames": 3},
    "heads": {"strm": {"cardinalities": [4]}},
}
ONE = FEW | {"methods": ["molo"], "sampling": {"frames": 1}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("runs", {}, "unknown key runs; did you mean 'run'?"),
        ("run.shot", [1], "unknown key run.shot; did you mean 'shots'?"),
        ("run.methods", ["clip-fsra"], "run.methods.0 is 'clip-fsra'; did you mean 'clip-fsar'?"),
        ("run.benchmarks", ["dmo"], "run.benchmarks names 'dmo', which is not defined below benchmarks; did you mean"),
        ("run.shots", [0], "run.shots.0 is 0; the nearest valid value is 1"),
        ("run.shots", [1, 1], "run: shots lists 1 twice"),
        ("run.seeds", [0, 0], "run: seeds lists 0 twice"),
        ("run.methods", ["otam", "otam"], "run: methods lists 'otam' twice"),
        ("benchmarks.demo.methods", ["otam", "otam"], "benchmarks.demo: methods lists 'otam' twice"),
        ("benchmarks.demo.shots", [5, 5], "benchmarks.demo: shots lists 5 twice"),
        ("backbones.small-clip.methods", ["otam", "otam"], "backbones.small-clip: methods lists 'otam' twice"),
        ("heads.tsfsar.temporal_layers", [0, 0], "heads.tsfsar: temporal_layers lists 0 twice"),
        ("run", "shots=[1]", "use a file and --configfile"),
        ("run.ways", [25], "way is 25, but benchmark 'demo' has 24 test classes; the nearest valid value is 24"),
        ("run.shots", [16], "the largest valid shot is 15"),
        (
            "benchmarks.demo.episodes.unknown",
            400,
            "there are 19 other test classes, of which the smallest has 16 videos; the nearest valid value is 304",
        ),
        ("benchmarks.demo.training.way", 17, "has 16 val classes; the nearest valid value is 16"),
        ("benchmarks.demo.training.queries", 12, "need 13 videos of every class"),
        ("benchmarks.demo.training.learnin_rate", 1, "benchmarks.demo.training.learnin_rate; did you mean"),
        ("benchmarks.demo.training.learning_rate", "fast", "benchmarks.demo.training.learning_rate is 'fast'"),
        ("benchmarks.demo.training.learning_rate", 1e-9, "the nearest valid value is learning_rate, 1e-09"),
        ("benchmarks.demo.training.workers", 1, "the nearest valid value is 0"),
        ("benchmarks.demo.source.kind", "dmo", "benchmarks.demo.source.kind is 'dmo'; did you mean 'demo'?"),
        ("benchmarks.demo.source.clases", 1, "unknown key benchmarks.demo.source.clases; did you mean 'classes'?"),
        ("benchmarks.demo.source.classes", {"train": 90, "val": 8, "test": 16}, "there are 100"),
        ("benchmarks.demo.frames.size", 8, "benchmarks.demo.frames.size is 8; the nearest valid value is 16"),
        ("text.templates", ["a video"], "templates: 'a video' does not contain {class_name} or {description}"),
        ("text.templates", ["a {class}"], "holds {class}; valid are {class_name} and {description}"),
        ("text.templates", ["a {class_name"], "'a {class_name' cannot be filled: expected '}'"),
        ("text.templates", [], "text.templates is []: List should have at least 1 item"),
        (
            "text.templates",
            "actonclip",
            "text.templates: no set of prompts is called 'actonclip'; valid are actionclip",
        ),
        ("text.templates", ["{description}"], "'{description}' needs a file of descriptions (key text.descriptions)"),
        ("benchmarks.demo.text.descriptions", "x.csv", "descriptions are given, but no template contains"),
        ("backbones.small-clip.library", "tim", "backbones.small-clip.library is 'tim'; did you mean 'timm'?"),
        ("backbones.RN50.methods", ["otan"], "backbones.RN50.methods.0 is 'otan'; did you mean 'otam'?"),
        ("benchmarks.demo.training.devices", 2, "which does not leave one for the model on each of 2 devices"),
        ("benchmarks.demo.training", {"devices": 3, "threads": 3, "workers": 0}, "the nearest valid value is 3"),
        ("benchmarks.demo", FEW | {"methods": ["clip-fsar-trx"]}, "method 'clip-fsar-trx' compares triples of frames"),
        ("benchmarks.demo", FEW | {"methods": ["trx"]}, "compares tuples of 3 frames (heads.trx.cardinalities), but"),
        (
            "benchmarks.demo",
            LONG,
            "method 'strm-published' compares tuples of 4 frames (heads.strm.cardinalities), but",
        ),
        ("benchmarks.demo", ONE, "molo' looks at differences of frames, but sampling.frames of benchmark 'demo' is 1"),
        ("heads.team.token", 5, "unknown key heads.team.token; did you mean 'tokens'?"),
        ("heads.trx.cardinalities", [2, 2], "heads.trx: cardinalities lists 2 twice"),
        ("benchmarks.demo.training_of_model", {"otan": {}}, "otan"),
        ("benchmarks.demo.training_of_backbone", {"RN5": {}}, "training_of_backbone names 'RN5', which is not defined"),
        ("benchmarks.demo.trained", {"RN50": {"frozen": "x"}}, "gives weights for a model that is not trained"),
        ("benchmarks.demo.trained", {"RN50": {"clip-fsr": "x"}}, "clip-fsr"),
        ("benchmarks.a/b", {"source": {"kind": "demo"}}, "the name 'a/b' may hold only"),
        ("seed", 2**63, "seed is 9223372036854775808; the nearest valid value is 9223372036854775807"),
        ("run.seeds", [1, 10**21], "run.seeds.1 is 1000000000000000000000; the nearest valid value is 92233720368"),
        ("run.seeds", [-1], "run.seeds.0 is -1; the nearest valid value is 0"),
        ("small_clips.small-clip.seed", 2**64, "small_clips.small-clip.seed is 18446744073709551616; the nearest"),
        ("heads.strm.second_metric_seed", 2**63, "the nearest valid value is 9223372036854775807"),
        ("benchmarks.demo.source.deal", 10**30, "the nearest valid value is 9223372036854775807"),
        ("seed", "3", "seed is '3'; it must be a whole number, not text: write 3"),
        ("seed", 1.5, "seed is 1.5; it must be a whole number"),
        ("heads.clip_fsar.depth", True, "heads.clip_fsar.depth is True; it must be a whole number"),
        ("training.learning_rate", "1e-4", "it must be a number, not text: write 1.0e-4"),
        ("training.learning_rate", "2.5E3", "it must be a number, not text: write 2.5e+3"),
        ("training.flip", "yes", "training.flip is 'yes'; it must be true or false"),
        (
            "backbones.small-clip.weights",
            5,
            "backbones.small-clip.weights is 5; it must be text: write '5', in quotation",
        ),
        ("training.weight_decay", float("inf"), "training.weight_decay is inf; it must be a finite number"),
        ("sources.timeout", float("inf"), "sources.timeout is inf; it must be a finite number"),
        ("heads.tsfsar.text_scale", [float("nan"), 1.0], "text_scale.0 is nan; it must be a finite number"),
    ],
)
def test_mistakes_are_named_with_the_way_out(values, path, value, message):
    if path.startswith("benchmarks.a/b"):
        values["benchmarks"]["a/b"] = value
    else:
        values = changed(values, path, value)
    with pytest.raises(UserError) as error:
        load(values)
    assert message in str(error.value)


def test_the_largest_seed_is_one_that_everything_takes(values):
    seed = load(changed(values, "seed", 2**63 - 1)).seed
    torch.Generator().manual_seed(seed + 4)  # STRM's second metric counts on from it
    assert np.random.default_rng([seed, 1]).random() < 1 and np.random.default_rng(seed).random() < 1
    assert np.int64(seed) == seed  # in tables


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_number_of_a_config_is_infinite(value):
    """Every key that holds numbers with fractions, in every section there is."""
    sections, looked_at = [Section], 0
    while sections:
        kind = sections.pop()
        sections += kind.__subclasses__()
        for name, field in kind.model_fields.items():
            if "float" in str(field.annotation):
                looked_at += 1
                for given in (value, [value, value]):
                    with pytest.raises(ValidationError) as error:
                        kind.model_validate({name: given})
                    assert any(problem["loc"][0] == name for problem in error.value.errors()), (kind, name)
    assert looked_at > 80


def test_frames_that_are_enough_for_a_head_are_no_mistake(values):
    load(changed(values, "benchmarks.demo", FEW | {"methods": ["strm", "molo", "hyrsm", "team"]}))
    load(changed(values, "benchmarks.demo", FEW | {"methods": ["trx"], "heads": {"trx": {"cardinalities": [2]}}}))


def test_all_mistakes_are_told_at_once(values):
    values = changed(changed(values, "run.shots", [0]), "seeed", 1)
    with pytest.raises(UserError, match=r"(?s)run\.shots\.0.*seeed|seeed.*run\.shots\.0"):
        load(values)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "predict.mine needs a benchmark, whose model labels the clips, or the folder of a model"),
        ({"benchmark": "demo", "method": "otam", "model": "a"}, "one of the two"),
        ({"benchmark": "demo"}, "predict.mine needs a method; valid are clip-freeze, nearest-centroid, linear-probe, "),
        (
            {"benchmark": "demmo", "method": "otam"},
            "predict.mine.benchmark is 'demmo', which this run has not; did you",
        ),
        ({"benchmark": "demo", "method": "trx"}, "predict.mine.method is 'trx', which this run has not"),
        ({"benchmark": "demo", "method": "otam", "backbone": "RN51"}, "did you mean 'RN50'?"),
        ({"model": "a", "seed": 1}, "predict.mine.seed: the folder of a model has its own"),
    ],
)
def test_predictions_that_name_no_model_are_told(values, asked, message):
    with pytest.raises(UserError, match=re.escape(message)):
        load(changed(values, "predict.mine", {"support": "a", "clips": "b", **asked}))


def test_a_backbone_that_only_labels_clips_is_checked_too(values):
    asked = {"support": "a", "clips": "b", "benchmark": "demo", "method": "clip-fsar", "backbone": "other"}
    values = changed(changed(values, "predict.mine", asked), "backbones.other", {"model": "x", "weights": "y.pt"})
    assert load(values).backbones_used("demo") == ["small-clip", "other"]
    wrong = changed(values, "benchmarks.demo.training_of_backbone", {"other": {"milestones": [2, 1]}})
    with pytest.raises(
        UserError, match=r"training of models on other, benchmark 'demo': milestones \[2, 1\] must increase"
    ):
        load(wrong)
    with pytest.raises(UserError, match=r"predict.mine.method is 'clip-fsar', which this run has not"):
        load(changed(values, "backbones.other", {"library": "timm", "model": "x", "weights": "y.pt"}))


def test_predictions_take_the_first_backbone_and_seed_of_the_run(values):
    asked = {"support": "a", "clips": "b", "benchmark": "demo", "method": "otam"}
    values = changed(changed(values, "predict.mine", asked), "run.seeds", [3, 4])
    assert load(values).model_to_predict("mine") == ("demo", "small-clip", "otam", 3)
    assert load(changed(values, "predict.mine.seed", 4)).model_to_predict("mine")[3] == 4


def test_the_study_repeats_the_demo(values, repository):
    """Its benchmarks differ in their deals, its small CLIPs in their seeds, and in nothing else."""
    study = copy.deepcopy(values)
    update_config(study, yaml.safe_load((repository / "configs/demo_study.yaml").read_text()))
    config, demo = load(study), load(values)
    deals = [name for name in config.run.benchmarks if config.base(name) == name]
    for name in deals:
        for model in MODELS:
            at = "small-clip", model
            assert replace(config.of(name, *at), benchmark="demo", methods=()) == replace(
                demo.of("demo", *at), methods=()
            )
    sources = [config.benchmarks[name].source for name in deals]
    assert all(source.model_copy(update={"deal": 1}) == demo.benchmarks["demo"].source for source in sources)
    clips = [config.small_clips[Path(config.backbones[name].weights).stem] for name in config.run.backbones]
    assert {clip.model_copy(update={"seed": 0}) for clip in clips} == {demo.small_clips["small-clip"]}
    assert len({source.deal for source in sources}) > 2 and len({clip.seed for clip in clips}) == len(clips) > 1
    assert len(config.run.seeds) > 1
    unnamed = class_texts(["star rising", "heart falling"], layers.text(config, "demo-unnamed"))
    assert unnamed == [["a photo of "]] * 2
    summary = rows_of_deals(Plan(config), rows(Plan(config)))
    assert summary and all(row.benchmark in deals for row in summary)
    assert rows_of_deals(Plan(demo), rows(Plan(demo))) == []


def test_lists_of_the_same_videos_are_deals_of_the_same_classes(values, tmp_path):
    """Two lists deal the same classes, and so does one of some of these beside one to train on; others do not."""
    splits = {"a": "train test", "b": "test train", "c": "train test", "all": "train train", "tested": "- test"}
    splits["same"] = splits["a"]
    for name, of in splits.items():
        pairs = [(label, split) for label, split in zip(("run", "walk"), of.split(), strict=True) if split != "-"]
        listed = [(f"{label}{i}.mp4", label, split) for label, split in pairs for i in range(2 + (name == "c"))]
        write_listing(tmp_path / f"{name}.csv", listed)
        source = {"kind": "csv", "file": str(tmp_path / f"{name}.csv")}
        values["benchmarks"][name] = {"source": source, "methods": ["clip-freeze"]}
    values["benchmarks"] |= {
        "crossed": {"train_on": "all", "test_on": "tested", "remove": "none"},
        "less": {"variant_of": "a", "without": ["run"]},
        "there": {"train_on": "tested", "test_on": "all", "remove": "none"},
    }
    for run, deals in (
        (["c", "a", "less", "crossed", "b", "same"], {"a", "b", "crossed"}),
        (["a", "less", "there"], set()),
        (["a", "same"], set()),  # one partition, listed twice
    ):
        plan = Plan(load(values | {"run": values["run"] | {"benchmarks": run, "methods": ["clip-freeze"]}}))
        assert {row.benchmark for row in rows_of_deals(plan, rows(plan))} == deals


def test_benchmarks_of_the_same_deal_are_one_class_partition(values):
    """Such as one deal with two trainings: the first of them stands for the deal."""
    demo = values["benchmarks"]["demo"]
    for name, deal in (("again", 1), ("other", 2)):
        values["benchmarks"][name] = {**demo, "source": {"kind": "demo", "deal": deal}, "shots": [1]}
    for run, deals in ((["demo", "again", "other"], {"demo", "other"}), (["again", "demo"], set())):
        plan = Plan(load(values | {"run": values["run"] | {"benchmarks": run}}))
        assert {row.benchmark for row in rows_of_deals(plan, rows(plan))} == deals


def test_a_small_clip_that_is_not_there(values):
    values = changed(values, "backbones.small-clip.weights", "data/small_clip/small-clap.safetensors")
    with pytest.raises(UserError, match="no small CLIP of this name is below small_clips; did you mean 'small-clip'"):
        check_before_jobs(Plan(load(values)), own_environments=False)


def test_a_file_of_ones_own_beside_the_small_encoders_of_video(values):
    video = {"library": "transformers", "model": "small-videomae", "weights": "data/small_video/mine.pt"}
    values["backbones"]["mine"] = video
    values["run"] |= {"backbones": ["mine"], "methods": ["otam"]}
    check_before_jobs(Plan(load(values)), own_environments=False)


def test_keys_written_twice_are_told_with_their_lines(tmp_path):
    text = "run: {ways: [5]}\nseed: 1\nbenchmarks:\n  a: {shots: [1], shots: [5]}\nseed: 2\n"
    (tmp_path / "twice.yaml").write_text(text)
    (tmp_path / "itself.yaml").write_text("a: &a\n  - *a\nb: &b {<<: {c: 1}, <<: {d: 2}}\n")
    (tmp_path / "latin.yaml").write_bytes(b"licence: \xe9\n")
    with pytest.raises(UserError) as error:
        check_written_once(sorted(tmp_path.iterdir()))
    assert str(error.value).splitlines()[1:] == [
        f"  - {tmp_path / 'twice.yaml'}: seed is written twice, in lines 2 and 5; leave one of them out",
        f"  - {tmp_path / 'twice.yaml'}: benchmarks.a.shots is written twice, in lines 4 and 4; leave one of them out",
    ]


def test_no_config_of_the_project_has_a_key_twice(repository):
    check_written_once([repository / "config.yaml", *repository.glob("configs/*.yaml")])


def test_no_number_is_absurd(values):
    """Every key that takes whole numbers has a largest, its own or that of all."""
    for place, (kind, name) in leaves(Config).items():
        if not re.search(r"\bint\b", str(kind.model_fields[name].annotation)):
            continue
        given = 10**30
        for value in (given, [given], [given] * 3, [[given] * 3] * 4):
            with pytest.raises(ValidationError) as error:
                kind.model_validate({name: value}, strict=True)
            problems = [p for p in error.value.errors() if p["loc"] and p["loc"][0] == name]
            assert problems, f"{place} takes {value}"
    with_change = {**values, "episodes": {"test": 10**30}}
    with pytest.raises(
        UserError, match=r"episodes\.test: .* is more than can be meant; the nearest valid value is 1000000000"
    ):
        load(with_change)


def test_all_test_classes_are_a_way_of_tests_alone(values):
    config = load(changed(values, "run.ways", [5, "all"]))
    assert config.run.ways == [5, "all"] and config.episodes_drawn("demo")[0][1] == 5
    for key_name, value in (("run.ways", ["every"]), ("run.ways", ["all", "all"]), ("training.way", "all")):
        with pytest.raises(UserError, match=key_name.replace(".", r"(\.|: )")):
            load(changed(values, key_name, value))


FEW_TESTED = {"train": 60, "val": 16, "test": 1}


def test_one_test_class_is_too_few_for_an_episode_of_all(values):
    values = changed(changed(values, "run.ways", ["all"]), "benchmarks.demo.source.classes", FEW_TESTED)
    with pytest.raises(UserError, match="way is 2, but benchmark 'demo' has 1 test classes"):
        load(values)


def test_weights_that_validation_classes_choose_need_some(values):
    own = {"source": {"kind": "csv", "file": "videos.csv"}, "methods": ["clip-classifier"]}
    values = changed(changed(values, "benchmarks.own", own), "run.benchmarks", ["own"])
    counts = {"train": {}, "val": {}, "test": dict.fromkeys("abcde", 9)}
    message = (
        "benchmark 'own' has no val class, which chooses heads.clip_classifier.text_weight for clip-classifier: add "
        "validation classes, or set the weight"
    )
    with pytest.raises(UserError, match=re.escape(message)):
        check_source_counts(load(values), "own", counts)
    check_source_counts(load(changed(values, "heads.clip_classifier", {"text_weight": 0.5})), "own", counts)
