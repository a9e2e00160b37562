"""`fsar.train` is the workflow's own training: the same bytes from the same videos, and mistakes told in sentences."""

import csv

import pandas as pd
import pytest
import yaml

import fsar
from fsar import own_training
from fsar.benchmarks.splits import SPLITS
from fsar.errors import UserError

BACKBONE = "small-clip"


def listed(run, folder):
    """Write the list of the tiny run's videos as a user's own, under the ids that they have there."""
    rows = pd.read_parquet(run / "data/tiny/manifest.parquet")
    with (folder / "videos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "class", "split"])
        writer.writerows(
            zip(rows["video_id"], map(run.joinpath, rows["path"]), rows["class_name"], rows["split"], strict=True)
        )
    return folder / "videos.csv"


def settings(run):
    """The tiny run's settings, of a benchmark that is called otherwise, and its backbone as it was trained there."""
    tiny = yaml.safe_load((run / "configs/tiny.yaml").read_text())["benchmarks"]["tiny"]
    weights = str(run / f"data/small_clip/{BACKBONE}.safetensors")
    own = {name: tiny[name] for name in ("frames", "episodes", "heads")}
    return tiny["training"], {"benchmarks": {"own": own}, "backbones": {BACKBONE: {"weights": weights}}}


def test_the_weights_are_those_of_the_workflow(tiny_run, tmp_path):
    training, config = settings(tiny_run)
    asked = {"way": 3, "shot": 1, "cores": 2, "folder": tmp_path / "made", "training": training, "config": config}
    classifier = fsar.train(listed(tiny_run, tmp_path), "otam", BACKBONE, **asked)
    theirs = tiny_run / f"results/models/tiny/{BACKBONE}/otam/shot1-seed1/model.safetensors"
    mine = tmp_path / f"made/results/models/own/{BACKBONE}/otam/shot1-seed1"
    assert (mine / "model.safetensors").read_bytes() == theirs.read_bytes()
    assert not list((tmp_path / "made/results").rglob("predictions"))  # nothing is tested
    videos = pd.read_parquet(tiny_run / "data/tiny/manifest.parquet").query("split == 'test'")
    examples = {name: [tiny_run / path for path in own["path"][:2]] for name, own in videos.groupby("class_name")}
    labels = classifier.support(examples).predict([paths[0] for paths in examples.values()])
    assert set(labels["label"]) <= set(examples) and not labels["reason"].any()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"method": "otan"}, "There is no method 'otan'"),
        ({"method": "clip-freeze"}, "The method 'clip-freeze' trains nothing"),
        ({"method": "clip-spm-together"}, "decides by all queries of an episode together"),
        ({"backbone": "ViT-B-17"}, "ViT-B-17"),
        ({"backbone": "efficientnet-lite0"}, "efficientnet-lite0 has no text"),
        ({"training": {"iteration": 5}}, "training.iteration"),
        ({"way": 9}, "9"),
        ({"videos": "nowhere.csv"}, "nowhere.csv"),
        ({"folder": "videos.csv"}, r"The folder .*videos\.csv cannot be made: File exists\. Name another one"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tmp_path, monkeypatch, asked, told):
    monkeypatch.setattr(own_training, "_run_workflow", lambda *_: pytest.fail("it ran"))
    monkeypatch.chdir(tmp_path)
    rows = [f"{split} {c} {n}.mp4,{split} {c},{split}\n" for split in SPLITS for c in range(5) for n in range(9)]
    (tmp_path / "videos.csv").write_text("path,class,split\n" + "".join(rows))
    with pytest.raises(UserError, match=told):
        fsar.train(**{"videos": "videos.csv", **asked})


@pytest.mark.parametrize("run", [None, {"benchmarks": ["demo"]}])
def test_the_run_is_of_the_videos_whatever_a_config_says(tmp_path, monkeypatch, run):
    monkeypatch.setattr(own_training, "_run_workflow", lambda *_: None)
    monkeypatch.setattr(own_training.FewShotClassifier, "load", lambda *_, **__: None)
    rows = [f"{split} {c} {n}.mp4,{split} {c},{split}\n" for split in SPLITS for c in range(5) for n in range(9)]
    (tmp_path / "videos.csv").write_text("path,class,split\n" + "".join(rows))
    fsar.train(tmp_path / "videos.csv", "otam", "RN50", folder=tmp_path / "made", config={"run": run})
    assert yaml.safe_load((tmp_path / "made/train.yaml").read_text())["run"]["benchmarks"] == ["own"]


def test_without_the_workflows_packages_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(own_training, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'fsar\[workflow\]'"):
        fsar.train("videos.csv")


@pytest.mark.slow
def test_a_job_that_fails_says_why(tmp_path):
    """Videos that cannot be read: the reason is the job's own, not Snakemake's."""
    lines = ["path,class,split\n"]
    for split in SPLITS:
        for number in range(4):
            (tmp_path / f"{split}{number}.mp4").write_bytes(b"no video" + bytes([number]) + split.encode())
            lines.append(f"{split}{number}.mp4,{split} {number // 2},{split}\n")
    (tmp_path / "videos.csv").write_text("".join(lines))
    asked = {"way": 2, "shot": 1, "training": {"queries": 1}, "folder": tmp_path / "made"}
    with pytest.raises(UserError, match="max_failed") as told:
        fsar.train(tmp_path / "videos.csv", "otam", "RN50", **asked)
    assert "Traceback" not in str(told.value) and "Snakemake" not in str(told.value)
