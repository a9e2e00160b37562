"""Trained on one benchmark, tested on another: which classes are left out, and which trainings serve which targets."""

import copy
import hashlib
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from fsar.benchmarks.equal_names import equal_names
from fsar.benchmarks.splits import SPLITS
from fsar.class_names import letters
from fsar.config import load
from fsar.errors import UserError
from fsar.files import write_parquet
from fsar.plan.checks import check_before_jobs
from fsar.plan.figures import planned_figures
from fsar.plan.plan import Plan
from fsar.plan.removals import load_with_removals, name_without
from fsar.plan.rows import rows, rows_of_a_model
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.sources.split_lists import class_name, read_split_lists
from tests.helpers.workflow import write_listing
from tests.workflow.test_benchmarks import reference  # noqa: F401

CLASSES = {
    "from": {"train": ["Pull_Ups", "run", "swim", "wave"], "val": ["jump", "fall"], "test": ["sit"]},
    "near": {"train": ["a"], "val": ["b"], "test": ["pull ups", "JUMP", "draw"]},
    "like": {"train": ["c"], "val": ["d"], "test": ["pull-ups", "jump", "kick"]},
    "far": {"train": ["swim"], "val": ["wave"], "test": ["sing", "read", "cook"]},
}


@pytest.fixture
def values(repository, tmp_path, monkeypatch):
    """A config of four lists of videos, on which one is trained and the others are tested."""
    monkeypatch.chdir(tmp_path)
    base, tiny = (yaml.safe_load((repository / name).read_text()) for name in ("config.yaml", "configs/tiny.yaml"))
    benchmarks = {}
    for name, classes in CLASSES.items():
        own = [(f"{label} {n}.mp4", label, split) for split in SPLITS for label in classes[split] for n in range(4)]
        write_listing(tmp_path / f"{name}.csv", own)
        training = tiny["benchmarks"]["tiny"]["training"] | {"way": 2, "queries": 1}
        benchmarks[name] = {
            "source": {"kind": "csv", "file": f"{name}.csv"},
            "training": training if name == "from" else {"learning_rate": 0.5},
            "text": {"templates": ["a film of {class_name}"]} if name == "from" else {},
            "episodes": {"val": 5, "test": 7 if name == "far" else 9},
        }
    for name in ("near", "like", "far"):
        benchmarks[f"to-{name}"] = {"train_on": "from", "test_on": name}
    run = {"benchmarks": ["to-near", "to-like", "to-far", "from"], "methods": ["linear-probe", "otam", "clip-fsar"]}
    run |= {"ways": [2], "shots": [1, 2], "backbones": ["small-clip"], "seeds": [1]}
    return base | {"run": run, "benchmarks": benchmarks, "backbones": {"small-clip": base["backbones"]["small-clip"]}}


def planned(values):
    config, told = load_with_removals(values)
    return Plan(config), told


WITHOUT = name_without("from", ["Pull_Ups", "jump"])


def test_classes_with_equal_names_are_left_out_and_told(values):
    plan, told = planned(values)
    assert told == [
        "to-near is trained on from and tested on near; 2 classes removed from from (by equal names): Pull_Ups, jump",
        "to-like is trained on from and tested on like; 2 classes removed from from (by equal names): Pull_Ups, jump",
        "to-far is trained on from and tested on far; 0 classes removed from from (by equal names)",
    ]
    assert plan.config.benchmarks[WITHOUT].without == ["Pull_Ups", "jump"]
    # What was put in place of it stays as it is, as in each job.
    again = copy.deepcopy(values)
    assert load_with_removals(again)[0] == plan.config and again == values


def test_one_training_serves_all_targets_with_the_same_removals(values):
    plan, _ = planned(values)
    trained = plan.trained_models("model.safetensors")
    folders = [f"results/models/{name}/small-clip" for name in (WITHOUT, "from")]
    assert sorted(trained) == sorted(
        f"{folder}/{m}/shot1-seed1/model.safetensors" for folder in folders for m in ("otam", "clip-fsar")
    )
    tested = {of.benchmark: plan.trained_weights(of) for of in plan.models() if of.model == "otam"}
    assert tested["to-near"] == tested["to-like"] != tested["to-far"] == tested["from"]
    assert plan.validated_on("to-near") == WITHOUT and plan.validated_on("to-far") == "from"
    assert sorted(plan.bases) == ["far", "from", "like", "near"]
    assert [path for path in plan.data_files("to-near") if "episodes" in path] == [
        "data/near/episodes/test-2way-1shot.parquet",
        "data/near/episodes/test-2way-2shot.parquet",
        f"data/{WITHOUT}/episodes/val-2way-1shot.parquet",
    ]
    wildcards = SimpleNamespace(benchmark=WITHOUT, backbone="small-clip", model="otam", shot="1", seed="1")
    assert {row.benchmark for row in rows_of_a_model(plan, wildcards)} == {"to-near", "to-like"}


def test_features_of_the_backbone_as_it_is_are_those_of_the_target(values):
    del values["benchmarks"]["from"]["text"]
    plan, _ = planned(values)
    (frozen,) = [of for of in plan.models() if of.benchmark == "to-far" and of.training == "untrained"]
    assert plan.features(frozen) == "results/features/far/small-clip/frozen/untrained/test.safetensors"
    (trained,) = [of for of in plan.models() if of.benchmark == "to-far" and of.model == "otam"]
    assert plan.features(trained) == "results/features/to-far/small-clip/otam/seed1/test.safetensors"
    assert plan.test_episodes(trained)[0] == "data/far/episodes/test-2way-1shot.parquet"


def test_training_is_the_sources_and_testing_the_targets(values):
    plan, _ = planned(values)
    own, source, target = (plan.config.of(name, "small-clip", "otam") for name in ("to-far", "from", "far"))
    assert (own.training, own.text, own.head) == (source.training, source.text, source.head)
    assert (own.episodes, own.frames, own.sampling) == (target.episodes, target.frames, target.sampling)
    row = next(row for row in rows(plan) if row.benchmark == "to-near" and row.method == "otam")
    assert (row.trained_on, row.base, row.removed) == ("from", "near", ("Pull_Ups", "jump"))
    assert row.domains == "trained on from, without 2 classes (Pull_Ups, jump); tested on near"
    assert {name for name in planned_figures(plan, rows(plan)) if name.startswith("domains")} == {
        "domains-1shot",
        "domains-2shot",
    }


def test_what_validation_classes_choose_for_tests_is_chosen_by_the_sources(values):
    values["run"]["methods"] = ["clip-classifier"]
    plan, _ = planned(values)
    (of,) = [of for of in plan.models() if of.benchmark == "to-near"]
    assert plan.validation_features(of) == [f"results/features/{WITHOUT}/small-clip/frozen/untrained/val.safetensors"]
    assert plan.validation_episodes(of) == [f"data/{WITHOUT}/episodes/val-2way-{shot}shot.parquet" for shot in (1, 2)]
    assert {"near", "from"} <= set(plan.bases)
    assert plan.config.data_of("to-near") == ["near", "from"]


LIST = "source,target,class_in_source,split_in_target\n{rows}"


def test_a_list_removes_what_its_rows_for_this_source_and_target_name(values, tmp_path):
    rows_of_list = "from_train,far,SWIM,test\nfrom_train,far,wave,train\nfrom_train,near,run,test\nother,far,run,test\n"
    (tmp_path / "overlaps.csv").write_text(LIST.format(rows=rows_of_list))
    values["benchmarks"]["to-far"] |= {"remove": "overlaps.csv"}
    pinned = hashlib.sha256((tmp_path / "overlaps.csv").read_bytes()).hexdigest()
    values["benchmarks"]["to-far"]["remove_sha256"] = pinned
    plan, told = planned(copy.deepcopy(values))
    assert told[-1].endswith("1 class removed from from (by overlaps.csv): swim")
    assert plan.config.training_of("to-far") == name_without("from", ["swim"])
    values["benchmarks"]["to-far"]["remove_sha256"] = "0" * 64
    with pytest.raises(UserError, match="is not the list whose checksum"):
        load_with_removals(copy.deepcopy(values))
    (tmp_path / "overlaps.csv").write_text(LIST.format(rows="from,far,swimm,test\n"))
    del values["benchmarks"]["to-far"]["remove_sha256"]
    with pytest.raises(UserError, match=r"removes the class 'swimm'.*did you mean 'swim'"):
        load_with_removals(values)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("to-far", {"train_on": "form"}, "to-far.train_on names 'form', .*did you mean 'from'"),
        ("to-far", {"test_on": "to-near"}, "to-far.test_on names 'to-near', which is no benchmark with a source"),
        ("to-far", {"test_on": None}, "to-far.test_on is missing"),
        ("to-far", {"test_on": "from"}, "train_on and test_on are both 'from'"),
        ("to-far", {"training": {"way": 3}}, "to-far.training: it is that of 'from' or 'far'"),
        ("to-far", {"variant_of": "from"}, "one of the three"),
        ("from", {"remove": "none"}, "from.remove: classes are removed where a benchmark has train_on and test_on"),
        ("from", {"without": ["run"]}, "from.without: classes are left out of a variant"),
        ("far", {"sampling": {"frames": 4}}, "sampling.frames is 8 of 'from', but 4 of 'far'"),
    ],
)
def test_mistakes_are_told_before_any_job(values, name, changes, message):
    values["benchmarks"][name] |= changes
    with pytest.raises(UserError, match=message):
        load(values)


def test_unknown_classes_are_not_guessed(values):
    values["benchmarks"]["to-far"] |= {"test_on": "ucf101"}
    values["benchmarks"]["ucf101"] = {"source": {"kind": "ucf101"}}
    with pytest.raises(UserError, match="the classes of 'ucf101' are not known yet"):
        load_with_removals(copy.deepcopy(values))
    values["benchmarks"]["to-far"]["remove"] = "none"
    assert planned(values)[1][-1].endswith("0 classes removed from from (none is asked to be removed)")


def test_published_names_are_compared_with_the_manifests(values, tmp_path):
    values["benchmarks"] |= {name: {"source": {"kind": name}} for name in ("hmdb51", "ucf101")}
    values["benchmarks"]["to-far"] = {"train_on": "hmdb51", "test_on": "ucf101"}
    assert planned(copy.deepcopy(values))[1][-1].endswith("removed from hmdb51 (by equal names): punch")
    for name, label, split in (("hmdb51", "punch", "train"), ("ucf101", "kick", "test")):
        (tmp_path / "data" / name).mkdir(parents=True)
        row = pd.DataFrame([("v", "v", label, split, "l", "")], columns=MANIFEST_SCHEMA.names)
        write_parquet(tmp_path / f"data/{name}/manifest.parquet", row, MANIFEST_SCHEMA)
    with pytest.raises(UserError, match=r"are none, but fsar/benchmarks/equal_names\.csv has punch"):
        load_with_removals(values)


def test_equal_names_of_the_published_lists(reference):  # noqa: F811
    """Of classes named by folders; those of Something-Something show by the videos that two lists share."""
    names, videos = {}, {}
    for benchmark in ("hmdb51", "ucf101", "kinetics100", "ssv2_full", "ssv2_small"):
        for entry in read_split_lists([reference / f"splits/{benchmark}/{split}_few_shot.txt" for split in SPLITS]):
            part = "test" if entry.split == "test" else "trained"
            if entry.folder:
                names.setdefault((benchmark, part), {})[letters(class_name(entry.folder))] = class_name(entry.folder)
            else:
                videos.setdefault((benchmark, part), {})[entry.file] = (entry.split, entry.class_number)
    folders = ("hmdb51", "ucf101", "kinetics100")
    for source in folders:
        for target in set(folders) - {source}:
            equal = names[source, "trained"].keys() & names[target, "test"].keys()
            assert equal_names(source, target) == tuple(sorted(names[source, "trained"][name] for name in equal))
    shared = videos["ssv2_full", "trained"].keys() & videos["ssv2_small", "test"].keys()
    classes = {videos["ssv2_full", "trained"][video] for video in shared}
    assert len(classes) == len(equal_names("ssv2_full", "ssv2_small")) == 8


def test_a_published_list_of_overlaps(values, reference):  # noqa: F811
    path = reference / "lists/class_overlaps.csv"
    own = {"train_on": "kinetics100", "test_on": "ucf101", "remove": str(path)}
    own["remove_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    values["benchmarks"] |= {name: {"source": {"kind": name}} for name in ("kinetics100", "ucf101")}
    values["benchmarks"]["to-far"] = own
    plan, told = planned(values)
    rows_of_list = pd.read_csv(path).query(
        "source == 'kinetics100_train' and target == 'ucf101' and split_in_target == 'test'"
    )
    classes = {name.replace("_", " ") for name in rows_of_list["class_in_source"]}
    assert "blowing out candles" in classes and len(classes) > 3
    assert set(plan.config.benchmarks[plan.config.training_of("to-far")].without) == classes
    assert f"{len(classes)} classes removed from kinetics100 (by {path}): " in told[-1]


def test_the_config_of_benchmarks_shares_what_it_trains(repository):
    """Six sources, and four of them without the classes that a target tests, for thirty benchmarks."""
    values, own = (
        yaml.safe_load((repository / name).read_text()) for name in ("config.yaml", "configs/cross_domain.yaml")
    )
    update_config(values, own)
    plan, told = planned(values)
    assert len(plan.config.run.benchmarks) == 30 and len(told) == 25
    trained = {path.split("/")[2] for path in plan.trained_models("model.safetensors")}
    assert {name for name in trained if "-without-" not in name} == set(plan.bases) and len(trained) == 10
    assert len(plan.trained_models("model.safetensors")) == 10 * 2 * 2


def test_too_few_classes_of_the_demo_are_left(values):
    """Another deal of the same shapes tests classes that this one validates."""
    for name, deal, tested in (("one", 1, 4), ("another", 2, 60)):
        values["benchmarks"][name] = {
            "source": {"kind": "demo", "deal": deal, "classes": {"train": 12, "val": 4, "test": tested}},
            "training": values["benchmarks"]["from"]["training"] | {"way": 3},
        }
    values["benchmarks"]["to-another"] = {"train_on": "one", "test_on": "another"}
    values["run"]["benchmarks"] = ["to-another"]
    plan, _ = planned(copy.deepcopy(values))
    with pytest.raises(UserError, match=r"way is 3, but benchmark 'one' has 2 val classes without those"):
        check_before_jobs(plan, own_environments=False)
    values["benchmarks"]["to-another"]["remove"] = "none"
    check_before_jobs(planned(values)[0], own_environments=False)
