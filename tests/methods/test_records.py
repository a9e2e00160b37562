"""The records of models, methods and recipes: what they say of heads, and what holds on a published benchmark."""

import pytest
import yaml

from fsar.config import layers, load
from fsar.methods import FOLDERS, METHODS, MODELS, RECORDS, module_file
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs, TransformerSizes
from fsar.methods.recipes import recipes
from fsar.own_methods import PACKAGE


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_built_by_what_its_record_names(model):
    parts = MODELS[model]
    transformer = TransformerSizes(depth=12, width=256, heads=4, patches=9)
    head = build_head(parts, Inputs(16, 4, classes=3, transformer=transformer), parts.settings)
    assert head.needs.kind == parts.needs and head.name == parts.head
    assert set(head.loss_names) == set(head.loss_weights_at(5)) and all(
        map(module_file_is_there, parts.imported_by_name)
    )


@pytest.mark.parametrize("model", [name for name, parts in MODELS.items() if not parts.across_videos])
def test_stored_features_have_texts_as_the_head_looks_at_them(model):
    assert MODELS[model].encoding.each_text == MODELS[model].each_text


def module_file_is_there(name: str) -> bool:
    return module_file(name).is_file()


def test_every_folder_has_a_record_and_what_the_record_names():
    folders = {path.parent.name for path in PACKAGE.glob("*/record.py")} - {"blocks"}
    assert folders == set(FOLDERS)
    for folder, record in RECORDS.items():
        code = {"head.py": record.head, "adapter.py": record.adapters}
        assert {name for name, settings in code.items() if settings} == {
            name for name in code if (PACKAGE / folder / name).is_file()
        }
        heads = {parts.head for parts in record.models.values()} | {parts.adapters for parts in record.models.values()}
        assert folder in heads and {METHODS[name].model for name in record.methods} == set(record.models)


def test_what_is_said_of_public_code_is_said_in_full():
    assert [name for name, method in METHODS.items() if bool(method.code) != bool(method.code_selection)] == []
    assert [name for name, method in METHODS.items() if method.deviations and not method.code] == []
    own = {method.model for method in METHODS.values() if method.components.head not in ("otam", "clip_fsar")}
    own = {model for model in own if MODELS[model].trained}
    assert set(recipes()) == own
    for model, of_backbones in recipes().items():
        codes = {method.code for method in METHODS.values() if method.model == model}
        named = [recipe["source"] for recipe in of_backbones]
        assert all(source.startswith(code) for source in named for code in codes), model
        backbones = [backbone for recipe in of_backbones for backbone in recipe["backbones"]]
        assert len(backbones) == len(set(backbones)), model


# As the codes of HyRSM and MoLo have them, whose clock of epochs runs double: learning rate, warm-up from, over S,
# milestones in S, factors, episodes, λ.
CLOCKED = {
    ("hyrsm", "kinetics100"): (2.2e-5, 5e-6, 100, [4, 6, 9], [0.5, 0.1, 0.05], 1200, 0.4),
    ("hyrsm", "ssv2_full"): (1e-4, 2e-5, 3000, [6, 9], [0.1, 0.01], 40000, 0.6),
    ("hyrsm", "ssv2_small"): (1e-4, 2e-5, 1500, [4, 8], [0.1, 0.01], 20000, 0.15),
    ("hyrsm", "ucf101"): (5e-5, 1e-5, 700, [3, 5, 7], [0.5, 0.1, 0.01], 2500, 0.15),
    ("hyrsm", "hmdb51"): (5e-5, 1e-5, 300, [2, 3, 7], [0.5, 0.1, 0.01], 2000, 0.15),
    ("molo", "kinetics100"): (2e-5, 5e-6, 350, [4, 6], [0.1, 0.01], 5000, 0.1),
    ("molo", "ssv2_full"): (1e-4, 2e-5, 6000, [6, 9], [0.1, 0.01], 50000, 0.8),
    ("molo", "ssv2_small"): (1e-4, 2e-5, 1500, [4, 8], [0.1, 0.01], 20000, 0.15),
    ("molo", "ucf101"): (5e-5, 1e-5, 2000, [3, 6], [0.1, 0.01], 6000, 0.6),
    ("molo", "hmdb51"): (5e-5, 1e-5, 500, [3, 5, 7], [0.5, 0.1, 0.01], 2000, 0.4),
}
# λ, weight of the coherence, w, τ, β.
COHERENCE = {
    "ssv2_full": (0.6, 0.3, 1, 51, 10),
    "ssv2_small": (0.2, 0.3, 3, 23, 10),
    "kinetics100": (0.1, 0.1, 3, 23, 10),
    "ucf101": (0.6, 0.1, 3, 23, 10),
    "hmdb51": (0.15, 0.2, 1, 51, 20),
}


@pytest.fixture(scope="module")
def values(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


def test_recipes_are_those_of_the_public_codes(values):
    config = load(values)
    for (model, benchmark), (rate, start, length, milestones, factors, episodes, weight) in CLOCKED.items():
        training = config.of(benchmark, "INet-RN50", model).training
        assert (training.learning_rate, training.warmup_from, training.warmup_iterations) == (rate, start, length)
        assert training.milestones == [milestone * length // 2 for milestone in milestones]
        assert (training.factors, training.iterations, training.optimizer) == (factors, episodes, "adam")
        assert config.of(benchmark, "INet-RN50", model).head.classification_weight == weight
    for benchmark, expected in COHERENCE.items():
        keys = ("classification_weight", "coherence_weight", "window", "falloff", "far_weight")
        settings = config.of(benchmark, "INet-RN50", "hyrsmpp").head
        assert tuple(getattr(settings, key) for key in keys) == expected
        team = config.of(benchmark, "INet-RN50", "team").training
        assert (team.optimizer, team.momentum, team.nesterov, team.tasks_per_step) == ("sgd", 0.9, True, 16)
        for model in ("trx", "strm"):
            training = config.of(benchmark, "INet-RN50", model).training
            fast = model == "trx" or benchmark.startswith("ssv2")
            assert training.learning_rate == (1e-3 if fast else 1e-4) and training.loss_over_queries == "sum"
            assert training.iterations == (75010 if benchmark.startswith("ssv2") else 20010)


def test_which_settings_of_a_model_are_stronger(values):
    """A benchmark's keys, then a model's recipe on a published benchmark, then what the config says of the model."""
    own = values["benchmarks"]["hmdb51"] | {
        "training_of_backbone": {"INet-RN50": {"learning_rate": 0.5, "threads": 9}},
        "training_of_model": {"team": {"tasks_per_step": 4}},
        "heads": {"hyrsm": {"classification_weight": 0.3}},
    }
    config = load({**values, "benchmarks": {**values["benchmarks"], "hmdb51": own}})
    team = config.of("hmdb51", "INet-RN50", "team").training
    assert (team.learning_rate, team.tasks_per_step, team.threads, team.validate_every) == (1e-3, 4, 9, 300)
    assert config.of("hmdb51", "INet-RN50", "otam").training.learning_rate == 0.5
    assert config.of("hmdb51", "INet-RN50", "hyrsm").head.classification_weight == 0.3
    demo = layers.training(config, "demo", "small-clip")
    assert config.of("demo", "small-clip", "team").training == demo
    assert config.training_shots("hmdb51", "INet-RN50", "team") == [1, 3, 5]
    assert config.training_shots("hmdb51", "INet-RN50", "molo") == [1] == config.training_shots("demo", "RN50", "team")
