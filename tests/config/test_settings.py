"""What holds for a model, merged once: a job is given what decides its result, and how it is run, and nothing else."""

import re
from dataclasses import fields, replace

import pytest
import yaml

from fsar.config import load
from fsar.keys.declare import NOTHING, Section, decided_by
from fsar.methods import MODELS
from fsar.plan import paths
from fsar.plan.parameters import MOST, MOST_OF_FEATURES, by_key

# Those that a job with the settings of a model is of, and whose declarations hold for it.
STAGES = {
    "train_model": {"train_model"},
    "encode_training": {"encode_training"},
    "encode_features": {"encode_features"},
    "evaluate_model": {"evaluate_model"},
    "evaluate_part": {"encode_features", "evaluate_model"},
    "predict_clips": {"predict_clips"},
}


@pytest.fixture(scope="module")
def config(repository):
    return load(yaml.safe_load((repository / "config.yaml").read_text()))


@pytest.mark.filterwarnings("ignore:Pydantic serializer")  # a text is put where numbers are
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("model", MODELS)
def test_a_key_that_is_not_declared_for_a_stage_cannot_reach_it(config, model, stage):
    settings, missing = config.of("demo", "small-clip", model), object()
    kept = settings.for_stage(stage).components.head == settings.components.head
    for field in fields(settings):
        section = getattr(settings, field.name)
        if not isinstance(section, Section):
            continue
        for key in type(section).model_fields:
            changed = replace(settings, **{field.name: section.model_copy(update={key: "another"})})
            reaches = getattr(getattr(changed.for_stage(stage), field.name), key, missing) == "another"
            declared = decided_by(type(section), key)
            decides = key in changed.decisive(stage).get(field.name, {})
            if declared == NOTHING:
                assert not decides and (reaches or not kept), (field.name, key)
                continue
            assert reaches == decides, (field.name, key)
            # What a head stores of a video is made as it is in training.
            encodes = stage in ("encode_features", "encode_training")
            stored = {"train_model"} if field.name == "head" and encodes else set()
            assert not decides or set(declared) & (STAGES[stage] | stored), (field.name, key)


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
@pytest.mark.parametrize("model", ["clip-fsar-head", "ts-fsar"])
def test_every_key_declared_for_the_views_of_training_decides_them(config, model):
    settings = config.of("demo", "small-vit", model)
    for name in ("backbone", "sampling", "training"):
        section = getattr(settings, name)
        for key in type(section).model_fields:
            changed = replace(settings, **{name: section.model_copy(update={key: "another"})})
            decides = key in changed.decisive("encode_training").get(name, {})
            assert decides == ("encode_training" in (decided_by(type(section), key) or ())), (name, key)


def test_settings_are_merged_once(config):
    assert config.of("demo", "small-clip", "otam") is config.of("demo", "small-clip", "otam")


class Wildcards(dict):
    pass


def test_a_parameter_is_named_by_its_key():
    values = by_key(lambda wildcards: {"head": {"depth": 2}, "seed": 1, "text": {"templates": ["a" * 99]}})
    found = [own for of_wildcards in values.values() if (own := of_wildcards(Wildcards(model="x"))) is not None]
    assert [repr(own) for own in found[:2]] == ["head.depth=2", "seed=1"]
    assert re.fullmatch("text.templates=[0-9a-f]{12}", repr(found[2]))


@pytest.mark.parametrize("most", [MOST, MOST_OF_FEATURES])
def test_no_key_is_without_a_parameter(most):
    """However many there are: the last parameter changes with any of those that are left."""

    def of(changed):
        keys = {f"key{number}": number for number in range(most + 5)} | changed
        return [repr(own(Wildcards(model="x"))) for own in by_key(lambda wildcards: {"head": keys}, most=most).values()]

    plain = of({})
    assert len(plain) == most and plain[0] == "head.key0=0" and plain[-1].startswith("further keys=")
    for number in (0, most - 2, most - 1, most + 4):
        changed = of({f"key{number}": "another"})
        assert sum(a != b for a, b in zip(plain, changed, strict=True)) == 1


def test_rules_make_the_paths_that_python_needs(repository):
    """Each stands literally in a rule's output, log or benchmark, or below what a rule makes there."""
    rules = "".join(path.read_text() for path in sorted((repository / "rules").glob("*.smk")))
    made = re.findall(r'^ +(?:\w+=)?(?:directory\(|multiext\(\n? *)?"([^"]+)"', rules, re.MULTILINE)
    names = {name: value for name, value in vars(paths).items() if name.isupper() and isinstance(value, str)}
    wanted = {name: value for name, value in names.items() if "/" in value}
    measured = {"DECODE_TIME", "FEATURES_TIME"}  # which scripts write, as Snakemake measures no rule with a cache
    assert len(wanted) > 15
    for name, value in wanted.items():
        if name not in (*measured, "PARTIAL_TABLE"):  # which no rule makes
            pattern = "[^/]+".join(map(re.escape, re.split(r"\{\w+\}", value)))
            assert any(re.match(pattern, path) for path in made), (name, value)
    for name in measured:
        log = names[name].replace("benchmarks/", "logs/").replace(".tsv", ".log")
        assert log in made
