"""The config model: what it accepts, and how it tells what is wrong."""

import copy
import json

import jsonschema
import pytest
import yaml

from fsar.config import Config, documentation, load, schema
from fsar.errors import UserError


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


def test_generated_files_are_current(repository):
    written = json.loads((repository / "configs/schema.json").read_text())
    assert written == json.loads(json.dumps(schema())), "run `make docs`"
    assert (repository / "docs/config.md").read_text() == documentation() + "\n", "run `make docs`"


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
    training = load(values).settings("demo", "training")
    assert training["weight_decay"] == 0.5  # general
    assert training["queries"] == 3  # the benchmark's own
    assert training["video_text_weight"] == 1.5  # the published default


def test_a_backbone_overlays_the_benchmark(values):
    values = changed(values, "benchmarks.demo.training_of_backbone", {"RN50": {"learning_rate": 0.5}})
    config = load(values)
    assert config.settings("demo", "training", "RN50")["learning_rate"] == 0.5
    assert config.settings("demo", "training", "RN50")["queries"] == 3
    assert config.settings("demo", "training", "small-clip")["learning_rate"] == 1e-3


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
    keys = ("video_text_weight", "learning_rate", "warmup_from", "warmup_iterations", "milestones", "iterations")
    for benchmark, recipe in RECIPES.items():
        for backbone in ("RN50", "ViT-B-16"):
            training = config.settings(benchmark, "training", backbone)
            assert (*(training[key] for key in keys), training["validate_every"]) == recipe
            assert (training["way"], training["shot"], training["queries"], training["tasks_per_step"]) == (5, 1, 5, 4)
        kinetics = benchmark == "kinetics100"
        assert (training["flip"], training["colour_jitter"]) == (kinetics, kinetics)
        assert config.settings(benchmark, "sampling")["strategy"] == ("span" if kinetics else "segments")
        assert config.shots(benchmark) == ([1, 2, 3, 4, 5] if benchmark in ("kinetics100", "ssv2_full") else [1, 3, 5])


def test_published_values_are_the_defaults():
    config = Config(benchmarks={}, backbones={})
    assert (config.frames.size, config.sampling.frames, config.episodes.test) == (256, 8, 10000)
    assert (config.head.depth, config.head.heads, config.head.feed_forward) == (1, 8, 2048)
    assert (config.head.attention_dropout, config.head.feed_forward_dropout, config.head.smoothing) == (0.2, 0.05, 0.5)
    assert (config.head.text_weight, config.head.merge) == (0.9, "before")
    assert (config.training.tasks_per_step, config.training.weight_decay, config.training.queries) == (4, 1e-3, 5)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("runs", {}, "unknown key runs; did you mean 'run'?"),
        ("run.shot", [1], "unknown key run.shot; did you mean 'shots'?"),
        ("run.methods", ["clip-fsra"], "run.methods.0 is 'clip-fsra'; did you mean 'clip-fsar'?"),
        ("run.benchmarks", ["dmo"], "run.benchmarks names 'dmo', which is not defined below benchmarks; did you mean"),
        ("run.shots", [0], "run.shots.0 is 0; the nearest valid value is 1"),
        ("run.shots", [1, 1], "run: shots lists 1 twice"),
        ("run", "shots=[1]", "use a file and --configfile"),
        ("run.ways", [17], "way is 17, but benchmark 'demo' has 16 test classes; the nearest valid value is 16"),
        ("run.shots", [16], "the largest valid shot is 15"),
        ("benchmarks.demo.training.way", 9, "has 8 val classes; the nearest valid value is 8"),
        ("benchmarks.demo.training.queries", 18, "need 19 videos of every class"),
        ("benchmarks.demo.training.learnin_rate", 1, "benchmarks.demo.training.learnin_rate; did you mean"),
        ("benchmarks.demo.training.learning_rate", "fast", "benchmarks.demo.training.learning_rate is 'fast'"),
        ("benchmarks.demo.training.learning_rate", 1e-9, "the nearest valid value is learning_rate, 1e-09"),
        ("benchmarks.demo.training.workers", 1, "the nearest valid value is 0"),
        ("benchmarks.demo.source.kind", "dmo", "benchmarks.demo.source.kind is 'dmo'; did you mean 'demo'?"),
        ("benchmarks.demo.source.clases", 1, "unknown key benchmarks.demo.source.clases; did you mean 'classes'?"),
        ("benchmarks.demo.source.classes", {"train": 90, "val": 8, "test": 16}, "there are 100"),
        ("benchmarks.demo.frames.size", 8, "benchmarks.demo.frames.size is 8; the nearest valid value is 16"),
        ("backbones.RN50.prompt", "a video", "does not contain {class_name}"),
        ("benchmarks.demo.training.devices", 2, "which does not leave one for the model on each of 2 devices"),
        ("benchmarks.demo.training", {"devices": 3, "threads": 3, "workers": 0}, "the nearest valid value is 3"),
        ("benchmarks.demo", {"source": {"kind": "demo"}, "sampling": {"frames": 2}, "methods": ["trx"]}, "of frames"),
        ("benchmarks.demo.training_of_backbone", {"RN5": {}}, "training_of_backbone names 'RN5', which is not defined"),
        ("benchmarks.demo.trained", {"RN50": {"clip-freeze": "x"}}, "gives weights for a method that is not trained"),
        ("benchmarks.demo.trained", {"RN50": {"clip-fsar-text": "x"}}, "give the weights to 'clip-fsar'"),
        ("benchmarks.a/b", {"source": {"kind": "demo"}}, "the name 'a/b' may hold only"),
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


def test_all_mistakes_are_told_at_once(values):
    values = changed(changed(values, "run.shots", [0]), "seeed", 1)
    with pytest.raises(UserError, match=r"(?s)run\.shots\.0.*seeed|seeed.*run\.shots\.0"):
        load(values)
