"""What a run is, known before any job: which trainings, which tests, of which files."""

import copy
from types import SimpleNamespace

import pytest
import yaml

from fsar.config import layers, load
from fsar.errors import UserError
from fsar.plan import resources
from fsar.plan.figures import planned_figures
from fsar.plan.layouts import layouts
from fsar.plan.plan import Plan, PlannedModel
from fsar.plan.predict import PlannedPredictions
from fsar.plan.rows import rows
from tests.helpers.workflow import write_listing


@pytest.fixture
def values(repository):
    return yaml.safe_load((repository / "config.yaml").read_text())


def planned(values, methods=("clip-freeze", "otam", "clip-fsar", "clip-fsar-text"), **benchmark):
    values = copy.deepcopy(values)
    run = {
        "shots": [1, 10],
        "ways": [5, 4],
        "seeds": [3, 12],
        "methods": list(methods),
    }
    values["run"] |= run
    values["benchmarks"]["demo"]["source"]["videos_per_class"] = {"train": 40, "val": 40, "test": 40}
    values["benchmarks"]["demo"] |= benchmark
    return Plan(load(values))


def test_one_training_for_all_shots_is_tested_with_each(values):
    plan = planned(values)
    assert plan.trainings("demo", "small-clip", "clip-fsar") == ["seed3", "seed12"]
    assert plan.trainings("demo", "small-clip", "frozen", shot=10) == ["untrained"]
    tests = plan.tests(PlannedModel("demo", "small-clip", "clip-fsar", "seed3"))
    assert [(t["method"], t["decides_by"], t["way"], t["shot"]) for t in tests] == [
        (method, by, way, shot)
        for method, by in (("clip-fsar", "few-shot"), ("clip-fsar-text", "both"))
        for way in (5, 4)
        for shot in (1, 10)
    ]
    assert plan.test_episodes(PlannedModel("demo", "small-clip", "otam", "seed12")) == [
        f"data/demo/episodes/test-{way}way-{shot}shot.parquet" for way in (5, 4) for shot in (1, 10)
    ]


@pytest.mark.parametrize("asked", [["linear-probe-otam"], ["linear-probe-otam", "otam"]])
def test_a_head_on_the_features_of_a_trained_model(values, asked):
    """Its trainings are the other model's, which is trained though nobody asked for it."""
    plan = planned(values, asked, training_of_model={"otam": {"shot": "tested"}})
    for seed, shot in ((3, 1), (12, 10)):
        own = PlannedModel("demo", "small-clip", "linear-probe-otam", f"seed{seed}-shot{shot}")
        assert own in plan.models() and plan.encoder(own) == own._replace(model="otam")
        assert {test["shot"] for test in plan.tests(own)} == {shot}
        weights = f"results/models/demo/small-clip/otam/shot{shot}-seed{seed}/model.safetensors"
        assert plan.trained_weights(own) == [weights]
    metrics = [path for path in plan.trained_models("metrics.parquet") if "linear-probe" in path]
    assert not metrics and bool(plan.trained_models("metrics.parquet")) == ("otam" in asked)


def test_heads_on_the_backbone_as_it_is_share_its_features(values):
    plan = planned(values, ["clip-freeze", "nearest-centroid", "linear-probe", "tip-adapter"])
    files = {plan.features(of) for of in plan.models()}
    assert files == {"results/features/demo/small-clip/frozen/untrained/test.safetensors"}


@pytest.mark.parametrize("model", ["clip-classifier", "clip-classifier-otam"])
def test_validation_classes_choose_how_much_class_names_count(values, model):
    """By features of the encoder that is tested, and episodes of the way that trainings are validated with."""
    plan = planned(values, [model], training={**values["benchmarks"]["demo"]["training"], "way": 3})
    of = next(plan.models())
    folder = "otam/seed3" if model.endswith("otam") else "frozen/untrained"
    assert plan.validation_features(of) == [f"results/features/demo/small-clip/{folder}/val.safetensors"]
    episodes = [f"data/demo/episodes/val-3way-{shot}shot.parquet" for shot in (1, 10)]
    assert plan.validation_episodes(of) == episodes and set(episodes) <= set(plan.data_files("demo"))
    assert {row.selection for row in rows(plan)} == {"val"}
    assert ("val", 3, 10, 1) in plan.config.episodes_drawn("demo")
    given = planned(values, ["clip-classifier"], heads={"clip_classifier": {"text_weight": 0.3}})
    of = next(given.models())
    assert given.validation_features(of) == given.validation_episodes(of) == []
    assert {row.selection for row in rows(given)} == {"not trained"}
    assert {split for split, *_ in given.config.episodes_drawn("demo")} == {"test"}


def test_a_training_for_each_shot_is_tested_with_its_own(values):
    plan = planned(values, training_of_model={"otam": {"shot": "tested", "way": 3}})
    names = [f"seed{seed}-shot{shot}" for seed in (3, 12) for shot in (1, 10)]
    assert plan.trainings("demo", "small-clip", "otam") == names
    assert plan.trainings("demo", "small-clip", "otam", shot=10) == ["seed3-shot10", "seed12-shot10"]
    assert plan.trainings("demo", "small-clip", "clip-fsar", shot=10) == ["seed3", "seed12"]
    for training, shot in (("seed12-shot1", 1), ("seed12-shot10", 10)):
        tested = PlannedModel("demo", "small-clip", "otam", training)
        assert {(t["way"], t["shot"]) for t in plan.tests(tested)} == {(5, shot), (4, shot)}
        folder = f"results/models/demo/small-clip/otam/shot{shot}-seed12"
        assert plan.trained_weights(tested) == [f"{folder}/model.safetensors"]
        wildcards = SimpleNamespace(benchmark="demo", backbone="small-clip", model="otam", shot=str(shot), seed="12")
        assert plan.trained(wildcards) == tested
    (row,) = [row for row in rows(plan) if row.method == "otam" and row.shot == 10 and row.way == 5]
    assert (row.seeds, row.selection) == ((3, 12), "val")
    assert row.predictions == tuple(
        f"results/predictions/demo/small-clip/otam/seed{seed}-shot10.parquet" for seed in (3, 12)
    )


def test_rows_are_every_method_way_and_shot_once(values):
    plan = planned(values)
    found = rows(plan)
    methods = ("clip-freeze", "otam", "clip-fsar", "clip-fsar-text")
    assert [(row.way, row.shot, row.method) for row in found] == [
        (way, shot, method) for way in (5, 4) for shot in (1, 10) for method in methods
    ]
    frozen = found[0]
    assert (frozen.seeds, frozen.selection, frozen.inductive) == ((), "not trained", True)
    assert frozen.predictions == ("results/predictions/demo/small-clip/frozen/untrained.parquet",)


def own_videos(folder, classes):
    """Write a list of a user's videos, with as many test classes, and return a benchmark of it."""
    listed = [(f"{name} {n}.mp4", name, "test") for name in "abcdefghij"[:classes] for n in range(11)]
    file = write_listing(folder / "videos.csv", listed)
    return {"source": {"kind": "csv", "file": str(file)}, "methods": ["clip-freeze"], "shots": [1]}


def test_all_are_the_test_classes_of_each_benchmark(values, tmp_path):
    """Of the demo by its config, of a published one by its lists, of one's own by its list; each has its episodes."""
    values["run"] |= {"benchmarks": ["demo", "own", "hmdb51"], "ways": [5, "all", 10], "methods": ["clip-freeze"]}
    values["run"] |= {"shots": [1]}
    values["benchmarks"]["own"] = own_videos(tmp_path, 7)
    plan = Plan(load(values))
    assert {name: plan.ways(name) for name in ("demo", "own", "hmdb51")} == {
        "demo": [5, 24, 10],
        "own": [5, 7, 10],
        "hmdb51": [5, 10],  # its test classes are ten
    }
    found = [(row.benchmark, row.way, row.ways) for row in rows(plan) if row.every_class]
    assert found == [("demo", 24, "all 24 classes"), ("own", 7, "all 7 classes"), ("hmdb51", 10, "all 10 classes")]
    of = PlannedModel("own", "small-clip", "frozen", "untrained")
    assert plan.test_episodes(of)[1] == "data/own/episodes/test-7way-1shot.parquet"
    tables = {table.name: table for table in layouts(rows(plan))}
    every = tables["main-all-classes"]
    assert every.caption == "Accuracy, all test classes" and list(every.benchmarks.values()) == [
        "demo",
        "own",
        "HMDB51",
    ]
    assert list(tables["main-10way"].benchmarks) == ["demo", "own", "hmdb51"]
    assert list(tables["main-5way"].benchmarks) == ["demo", "own"] and "table2" in tables
    figures = planned_figures(plan, rows(plan))
    assert {(s.benchmark, s.way) for s in figures["over-way"].arguments["settings"]} > {("demo", 24), ("own", 7)}
    assert figures["confusion-own-small-clip"].of.way == 5


def test_of_all_classes_alone_there_is_nothing_over_their_number(values, tmp_path):
    values["run"] |= {"benchmarks": ["demo", "own"], "ways": ["all"], "methods": ["clip-freeze"], "shots": [1]}
    values["benchmarks"]["own"] = own_videos(tmp_path, 7)
    plan = Plan(load(values))
    figures = planned_figures(plan, rows(plan))
    assert "over-way" not in figures
    assert {s.way for s in figures["accuracy"].arguments["settings"]} == {24, 7}


def test_memory_of_tests_grows_by_their_logits(values):
    """10,000 episodes of 24 classes have 5,760,000 logits, those of five classes 250,000."""
    plan = planned(values)
    of = PlannedModel("demo", "small-clip", "frozen", "untrained")
    assert resources.memory_of_tests(plan, of, 4000) == 4000
    values["run"] |= {"methods": ["clip-freeze"], "ways": ["all"]}
    more = resources.memory_of_tests(Plan(load(values)), of, 4000) - 4000
    assert 4 * 5.51 < more < 10 * 4 * 5.51


def test_drawn_are_the_episodes_of_all_tests_and_of_what_is_trained(values):
    plan = planned(values, training_of_model={"otam": {"shot": "tested"}})
    drawn = {path.rpartition("/")[2] for path in plan.data_files("demo") if "/episodes/" in path}
    way = layers.training(plan.config, "demo", "small-clip").way
    tested = {f"test-{way}way-{shot}shot.parquet" for way in (5, 4) for shot in (1, 10)}
    assert drawn == tested | {f"val-{way}way-{shot}shot.parquet" for shot in (1, 10)}


def test_shards_have_three_digits_and_are_all_there(values):
    plan = planned(values, frames={"shards": 12, "size": 64})
    names = plan.shards("demo")
    assert len(names) == 12 and (names[0], names[-1]) == ("000", "011")


def test_a_method_that_cannot_be_told_of_motion_is_refused_before_any_job(values, monkeypatch):
    monkeypatch.setattr(PlannedPredictions, "videos", lambda self, prediction: "")
    asked = {"support": "a", "clips": "b", "benchmark": "demo", "motion": "auto"}
    for method, fits in (("otam", True), ("clip-freeze", True), ("nearest-centroid", False)):
        values["predict"] = {"mine": {**asked, "method": method}}
        predictions = PlannedPredictions(Plan(load(values)))
        if fits:
            predictions.check()
            continue
        with pytest.raises(
            UserError, match=r"'nearest-centroid' cannot be told how much.*\(key predict\.mine\.motion\)"
        ):
            predictions.check()
