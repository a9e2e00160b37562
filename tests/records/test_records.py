"""Records of runs: the same for the same run, compared with predictions, merged where they answer the same question."""

import json
import os
import subprocess
import sys

import jsonschema
import pandas as pd
import pytest
import yaml
from pydantic import JsonValue, TypeAdapter

from fsar import __version__
from fsar.cli.main import main
from fsar.config import load
from fsar.episodes.stored import SCHEMA
from fsar.errors import UserError
from fsar.files import write_json, write_parquet
from fsar.methods import METHODS, MODELS
from fsar.plan.plan import Plan
from fsar.plan.records import facts_of
from fsar.plan.rows import rows
from fsar.records.fields import Part, read_records, save_records, schema
from fsar.records.merge import merge_records
from fsar.records.write import write_records
from fsar.results.table import write_tables
from fsar.sources.schemas import MANIFEST_SCHEMA
from tests.results.test_results import setting, write_rows

CLASSES = [f"class {label}" for label in range(5)]
RECORDED = TypeAdapter(dict[str, JsonValue])
FILE = "results/predictions/hmdb51/RN50/clip-fsar/seed1.parquet"
FACT = {
    "backbone": {
        "library": "open_clip",
        "model": "RN50-quickgelu",
        "weights": "openai",
        "weights_are_a_file": False,
        "saw": {"WIT-400M": None, "Some videos": ["hmdb51"], "Stills": []},
    },
    "settings": {"seed": 0, "training.milestones": [1, 2]},
    "code": "0123",
}


def write_episodes(path, first=0, count=20):
    """Write 5-way 1-shot episodes with a query of each class."""
    table = [
        (episode, label, role, name, f"{role[0]}{(first + 3 * episode + label) % 40}")
        for episode in range(count)
        for label, name in enumerate(CLASSES)
        for role in ("support", "query")
    ]
    write_parquet(path, pd.DataFrame(table, columns=SCHEMA.names), SCHEMA)
    return [(e, label, name, video, label) for e, label, role, name, video in table if role == "query"]


def write_predictions(path, queries, wrong=10):
    """Write predictions of which the first ones are wrong."""
    rows = [(*query[:4], query[4] if number >= wrong else (query[4] + 1) % 5) for number, query in enumerate(queries)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, rows)


def make_run(folder):
    """Make a run with one row; the working directory is its folder."""
    videos = [(f"{role}{n}", f"{role}{n}.mp4", "a", "test", "own.csv", "") for role in "qs" for n in range(40)]
    write_parquet("manifest.parquet", pd.DataFrame(videos, columns=MANIFEST_SCHEMA.names), MANIFEST_SCHEMA)
    write_predictions(folder / FILE, write_episodes(folder / "episodes.parquet"))
    write_json(folder / FILE.replace("seed1.parquet", "counts.json"), {"listed": 80, "used": 80})
    records_of(folder)


def row_of(**changes):
    """Return the run's row."""
    return setting([FILE], manifest="manifest.parquet", episodes="episodes.parquet", **changes)


def records_of(folder, path="results/records.json", facts=FACT, **changes):
    """Write the table and the records of a run, and read these."""
    rows = [row_of(**changes)]
    write_tables(rows, folder / "results/table.csv", folder / "results/table.md")
    write_records(rows, [facts], folder / "results/table.csv", folder / path)
    return read_records(folder / path)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path)
    return tmp_path


def test_a_record_has_what_was_measured_and_from_what(run):
    [record] = read_records(run / "results/records.json")
    row = pd.read_csv("results/table.csv").iloc[0]
    assert (record.accuracy, record.episodes, record.videos.test) == (90.0, 20, 80)
    told = {name: value for name in ("interval", "over_videos", "over_seeds") if not pd.isna(value := row[name])}
    assert record.intervals == told and "interval" in told
    assert record.backbone.saw == FACT["backbone"]["saw"] and record.backbone.checksum is None
    assert record.settings == FACT["settings"] and record.seeds == [1] and record.selection == "val"
    assert record.predictions[0].file == FILE.removeprefix("results/")
    assert (record.code.fsar, record.code.checksum) == (__version__, "0123")


def test_a_record_of_two_domains_says_which_and_is_merged_with_no_other_removals(run):
    crossed = {"trained_on": "kinetics100", "removed": ("bowling", "laughing")}
    [record] = records_of(run, "results/crossed.json", **crossed)
    own = record.benchmark
    assert (own.trained_on, own.tested_on, own.removed) == ("kinetics100", "hmdb51", ["bowling", "laughing"])
    table = pd.read_csv("results/table.csv", dtype=str).iloc[0]
    assert table[["trained_on", "tested_on", "classes_removed"]].tolist() == ["kinetics100", "hmdb51", "2"]
    told = "trained on kinetics100, without 2 classes (bowling, laughing); tested on hmdb51."
    assert told in (run / "results/table.md").read_text()
    merge_records({"one": [record]}, run / "merged")
    row = pd.read_csv(run / "merged/table.csv", dtype=str).iloc[0]
    assert row[["trained_on", "classes_removed"]].tolist() == ["kinetics100", "2"]
    others = records_of(run, "results/others.json", trained_on="kinetics100", removed=("bowling",))
    with pytest.raises(UserError, match="other training classes: kinetics100 without bowling, laughing in one"):
        merge_records({"one": [record], "two": others}, run / "merged")


def test_the_same_run_gives_the_same_bytes_wherever_it_is(run, tmp_path_factory, monkeypatch):
    first = (run / "results/records.json").read_bytes()
    assert str(run).encode() not in first
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "run"
    run.rename(elsewhere)
    monkeypatch.chdir(elsewhere)
    table = pd.read_parquet("manifest.parquet")  # its paths and order do not count
    write_parquet("manifest.parquet", table.assign(path="/mnt/" + table["path"])[::-1], MANIFEST_SCHEMA)
    records_of(elsewhere)
    assert (elsewhere / "results/records.json").read_bytes() == first
    write_parquet("manifest.parquet", table.assign(split="train"), MANIFEST_SCHEMA)
    records_of(elsewhere)
    assert (elsewhere / "results/records.json").read_bytes() != first


def test_another_interval_of_the_table_appears_by_itself(run):
    table = pd.read_csv("results/table.csv").assign(over_sources="1.25", overall="3")
    table.to_csv("other.csv", index=False)
    write_records([row_of()], [FACT], run / "other.csv", run / "other.json")
    [record] = read_records(run / "other.json")
    assert record.intervals["over_sources"] == 1.25 and "overall" not in record.intervals


def test_predictions_of_other_episodes_are_no_part_of_a_record(run):
    write_episodes(run / "episodes.parquet", first=1)
    with pytest.raises(UserError, match=r"seed1\.parquet .* of other episodes than those that are stored"):
        write_records([row_of()], [FACT], run / "results/table.csv", run / "x.json")
    with pytest.raises(UserError, match="has no row of hmdb51, RN50, OTAM, 5, 1"):
        write_records([row_of(title="OTAM")], [FACT], run / "results/table.csv", run / "x.json")


def test_the_file_fits_its_schema(run, repository, capsys):
    written = json.loads((run / "results/records.json").read_text())
    jsonschema.validate(written, schema())
    del written["records"][0]["accuracy"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema())
    assert main(["records", "schema"]) == 0
    text = (repository / "configs/records.schema.json").read_text()
    assert capsys.readouterr().out == text, "run `make docs`"
    page = (repository / "docs/records.md").read_text()
    assert [name for name in schema()["$defs"]["Record"]["properties"] if f"`{name}`" not in page] == []


def check(*arguments):
    return main(["records", "check", "results/records.json", *arguments])


def test_records_that_hold(run, capsys):
    assert check("--predictions", "results") == 0 and check() == 0
    assert "results/records.json: 1 records hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong, queries, said",
    [
        (11, 0, ["the checksum of", "the accuracy is 90.00 % in the record, and 89.00 % by its predictions"]),
        (10, 1, ["the checksum of", "the checksum of the queries of"]),
    ],
)
def test_predictions_that_were_changed_are_told(run, capsys, wrong, queries, said):
    changed = write_episodes(run / "others.parquet", first=queries)
    write_predictions(run / FILE, changed, wrong)
    assert check() == 1
    told = capsys.readouterr().err.splitlines()[1:]
    assert len(told) == len(said)
    for line, part in zip(told, said, strict=True):
        assert "hmdb51, RN50, CLIP-FSAR, 5-way 1-shot: " in line and part in line


def edited(record, **changes):
    """Return a record with other values; of a part, those of its fields."""
    parts = {
        name: part.model_copy(update=value) if isinstance(part := getattr(record, name), Part) else value
        for name, value in changes.items()
    }
    return record.model_copy(update=parts)


def test_records_that_were_changed_are_told(run, capsys):
    [record] = read_records(run / "results/records.json")
    [own] = record.predictions
    trained = own.model_copy(update={"trained": "0" * 16})
    nowhere, outside = (own.model_copy(update={"file": name}) for name in ("nowhere.parquet", "../manifest.parquet"))
    for changed, said in (
        ({"accuracy": 90.01}, "the accuracy is 90.01 % in the record, and 90.00 % by its predictions"),
        ({"episodes": 10000}, "the number of episodes of results/predictions/"),
        ({"predictions": [trained]}, "the checksum of the trained weights of"),
        ({"predictions": [nowhere]}, "There is no file results/nowhere.parquet"),
        ({"predictions": [outside]}, "../manifest.parquet is not below results"),
        ({"shot": 5}, "has no test of clip-fsar, 5-way 5-shot"),
    ):
        save_records([edited(record, **changed)], run / "results/records.json")
        assert check() == 1
        message = capsys.readouterr().err
        assert said in message and message.count("\n") == 2
    whole = (run / "results/records.json").read_text()
    (run / "results/records.json").write_text(whole.replace('"shot": 5', '"shot": 1'))
    assert check() == 1 and "results/records.json is damaged" in capsys.readouterr().err


def test_what_is_no_file_of_records_is_told(run, capsys):
    for value, said in (
        ({"format": 2, "records": []}, "format: Input should be 1"),
        ([], "the file: "),
        ({}, "records"),
    ):
        write_json(run / "other.json", value)
        assert main(["records", "merge", "other.json", "--out", "common"]) == 1
        assert f"other.json is no file of records that this version reads: {said}" in capsys.readouterr().err
    write_json(run / "other.json", {"format": 1, "records": []})
    assert main(["records", "merge", "other.json", "--out", "common"]) == 1
    assert "There is no record in other.json" in capsys.readouterr().err and not (run / "common").exists()


def test_runs_are_merged_and_ranked_by_what_is_sure(run, capsys):
    """Half-widths 3 and 4 make 5, which is less than 5.1 and not less than 4.9."""
    [record] = read_records(run / "results/records.json")
    other = edited(record, method={"title": "A <b>"}, accuracy=80.0, intervals={"interval": 1.0, "over_videos": 4.0})
    third = edited(record, method={"title": "B"}, accuracy=85.1, intervals={"interval": 3.0})
    fourth = edited(record, method={"title": "C"}, accuracy=84.9, intervals={"interval": 3.0}, seeds=[])
    first, alone = edited(record, intervals={"interval": 1.0}), edited(record, way=3, accuracy=10.0)
    save_records([other, third], run / "a.json")
    save_records([fourth, other, alone, first], run / "b.json")
    assert main(["records", "merge", "a.json", "b.json", "--out", "common"]) == 0
    assert "with 5 rows" in capsys.readouterr().err
    table = pd.read_csv("common/table.csv", dtype=str, keep_default_na=False)
    assert table["method"].tolist() == ["CLIP-FSAR", "CLIP-FSAR", "B", "C", "A <b>"]
    assert table["rank"].tolist() == ["1", "1", "2-3", "2-4", "3-4"]
    assert table["from"].tolist() == ["b.json", "b.json", "a.json", "b.json", "a.json"]
    assert table["over_videos"].tolist()[1:] == ["", "", "", "4.00"] and table["seeds"][3] == ""
    assert set(table["saw"]) == {"Some videos (has these videos); Stills; WIT-400M (not known whether these videos)"}
    assert "| 2-3 " in (run / "common/table.md").read_text()
    page = (run / "common/index.html").read_text()
    assert "A &lt;b&gt;" in page and "<b>" not in page and "http" not in page
    assert page.index("hmdb51, 3-way 1-shot") < page.index("hmdb51, 5-way 1-shot") and "<li>b.json</li>" in page


@pytest.mark.parametrize("field, said", [("lists", "lists of videos"), ("episodes", "test episodes")])
def test_what_cannot_be_compared_is_refused_with_both_values(run, field, said):
    [record] = read_records(run / "results/records.json")
    other = edited(record, benchmark={field: "f" * 64})
    files = {"a.json": [record], "b.json": [other]}
    then = getattr(record.benchmark, field)[:16]
    with pytest.raises(UserError, match=f"of other {said}: {then}… in a.json, {'f' * 16}… in b.json") as told:
        merge_records(files, run / "common")
    assert str(told.value).startswith("hmdb51") and not (run / "common").exists()
    # Of another shot the episodes are others; of another benchmark everything is.
    apart = edited(record, shot=5, benchmark={"episodes": "f" * 64})
    benchmark = edited(other, benchmark={"name": "ucf101", field: "f" * 64})
    assert merge_records({"a.json": [record], "b.json": [apart, benchmark]}, run / "common") == 3


def test_a_name_of_a_backbone_stands_for_one(run):
    """Of a file of weights, its checksum; of a library's tag, the tag. With another name both stand in one table."""
    [record] = read_records(run / "results/records.json")
    for changes in ({"checksum": "0" * 16}, {"weights": "yfcc15m"}, {"model": "RN50"}):
        other = edited(record, method={"title": "B"}, backbone=changes)
        with pytest.raises(
            UserError, match=r"the backbone RN50: b.json and a.json .* of other pretrained weights"
        ) as told:
            merge_records({"a.json": [record], "b.json": [other]}, run / "common")
        assert "Give one of the backbones another name" in str(told.value) and not (run / "common").exists()
        renamed = edited(other, backbone={"name": "mine"})
        assert merge_records({"a.json": [record], "b.json": [renamed]}, run / "renamed") == 2


def test_what_the_plan_knows_of_a_row(repository, tmp_path):
    values = yaml.safe_load((repository / "configs/tiny.yaml").read_text())
    values["run"]["methods"] = ["clip-freeze", "clip-fsar"]
    values["backbones"] = {"small-clip": {"model": "small-clip", "weights": str(tmp_path / "own.pt"), "saw": {"A": []}}}
    plan = Plan(load(values))
    asked = []

    def code(script, *further):
        asked.append(script)
        return f"{script} {sorted(path.name for path in further)}"

    facts = dict(zip([row.method for row in rows(plan)], facts_of(plan, rows(plan), code), strict=False))
    plain, trained = facts["clip-freeze"], facts["clip-fsar"]
    assert str(tmp_path) not in str([own["settings"] for own in facts.values()])
    assert trained["settings"]["backbone.weights"] == "own.pt" and trained["backbone"]["saw"] == {"A": []}
    assert trained["settings"]["training.iterations"] == 12 and trained["settings"]["head.feed_forward"] == 64
    assert not [key for key in plain["settings"] if key.startswith(("training", "head"))]
    assert set(asked) == {"train_model.py", "encode_features.py", "evaluate_model.py"}
    assert plain["code"] != trained["code"]


def test_what_the_plan_knows_of_every_method_can_stand_in_a_record(repository):
    """Also what a model fixes of its head, which no key of the config says."""
    values = yaml.safe_load((repository / "configs/tiny.yaml").read_text())
    values["run"] |= {"methods": list(METHODS), "shots": [1], "backbones": ["B"]}
    values["backbones"] = {"B": {"model": "ViT-B-16", "weights": "openai"}}
    fit = [name for name, own in METHODS.items() if not own.components.for_video]
    values["run"]["methods"] = fit
    plan = Plan(load(values))
    facts = facts_of(plan, rows(plan), lambda script, *further: script)
    assert {row.method for row in rows(plan)} == set(fit)
    for row, fact in zip(rows(plan), facts, strict=True):
        assert RECORDED.validate_python(fact["settings"]) == fact["settings"], row.method
        fixed = MODELS[METHODS[row.method].model].fixed
        assert fact["settings"].get("components.fixed", []) == [list(pair) for pair in fixed]


def test_the_workflow_writes_records_that_hold(tiny_run, monkeypatch, capsys):
    monkeypatch.chdir(tiny_run)
    assert check() == 0
    records = read_records(tiny_run / "results/records.json")
    table = pd.read_csv("results/table.csv")
    assert [record.method.title for record in records] == table["method"].tolist()
    assert [record.accuracy for record in records] == table["accuracy"].tolist()
    small = records[0].backbone
    assert small.weights == "small-clip.safetensors" and small.checksum and small.saw == {"rendered stills": []}
    assert str(tiny_run) not in (tiny_run / "results/records.json").read_text()
    card = (tiny_run / "results/models/tiny/small-clip/clip-fsar/shot1-seed1/README.md").read_text()
    assert "- rendered stills; has videos of no benchmark" in card


def test_records_need_no_torch(run, repository):
    code = "import sys; from fsar.cli.main import main; main(['records', 'check', 'results/records.json']); "
    code += "main(['records', 'merge', 'results/records.json', '--out', 'c']); print('torch' in sys.modules)"
    path = {**os.environ, "PYTHONPATH": str(repository)}
    said = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True).stdout
    assert said.endswith("\nFalse\n")
