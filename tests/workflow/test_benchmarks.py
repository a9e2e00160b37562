"""Published benchmarks that are fetched: their lists, and the way from download to stored episodes, in miniature."""

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.benchmarks.splits import SPLITS, split_lists
from fsar.errors import UserError
from fsar.files import read_json, write_parquet
from fsar.sources.kinetics import archive_urls
from fsar.sources.published import list_videos
from fsar.sources.schemas import INVENTORY_SCHEMA
from fsar.sources.something import annotation_files, archive_parts, templates
from fsar.sources.split_lists import Entry, class_name, read_split_lists
from fsar.videos.shards import shard_of
from tests.helpers.archives import Served, make_rar, make_tar, make_zip, serving
from tests.helpers.dry_runs import dry_runs, planned
from tests.helpers.videos import make_video
from tests.helpers.workflow import copy_project, nothing_to_do, rules_to_run, snakemake

PER_CLASS = 4
CLASSES = {"train": 3, "val": 2, "test": 2}


@pytest.fixture(scope="session")
def reference(repository) -> Path:
    """The folder of the published split lists beside the checkout; tests that need it skip where it is not."""
    folder = repository.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip(f"no split lists at {folder}: they are fetched by users, not part of this project")
    return folder


# Those whose lists are fetched; tests/sources/test_diving48.py has the other.
FETCHED = [name for name, data_set in PUBLISHED.items() if data_set.comes != "folder"]


@pytest.mark.parametrize("benchmark", FETCHED)
def test_the_published_lists(reference, benchmark):
    paths = [reference / f"splits/{benchmark}/{split}_few_shot.txt" for split in SPLITS]
    facts = split_lists().query("benchmark == @benchmark").set_index("split")
    entries = read_split_lists(paths)
    for split, path in zip(SPLITS, paths, strict=True):
        own = [e for e in entries if e.split == split]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == facts.sha256[split]
        assert (len(own), len({e.class_number for e in own})) == (facts.videos[split], facts.classes[split])
        assert len({e.video for e in own}) == len(own)
    published = pd.read_csv(reference / "classes.csv").query("benchmark == @benchmark").dropna(subset="prompt_name")
    if not benchmark.startswith("ssv2"):  # whose names are those of its annotations
        names = {e.folder: class_name(e.folder) for e in entries}
        prompted = {folder: PUBLISHED[benchmark].published_prompts.get(name, name) for folder, name in names.items()}
        assert [(r.folder, r.prompt_name) for r in published.itertuples() if prompted[r.folder] != r.prompt_name] == []
        assert not any("_" in name for name in names.values())


def test_counts_are_the_published_ones():
    table = split_lists().pivot(index="benchmark", columns="split", values="videos")[list(SPLITS)]
    assert table.to_dict("split")["data"] == [
        [13478, 1632, 2929], [4280, 1194, 1292], [6400, 1200, 2400],
        [67013, 1926, 2857], [6400, 1200, 2400], [9154, 1421, 2745],
    ]  # fmt: skip


def test_lines_that_are_no_entries_are_told(tmp_path):
    for split in SPLITS:
        (tmp_path / split).write_text(f"{split}0//videos/a/b.avi\n")
    (tmp_path / "val").write_text("val0//videos/a/b.avi\nnonsense\n")
    with pytest.raises(UserError, match=r"val, line 2: 'nonsense' is not an entry of a val list"):
        read_split_lists([tmp_path / split for split in SPLITS])


def test_something_something_says_what_to_put_where(tmp_path):
    with pytest.raises(
        UserError, match=r"(?s)something-something-v2-train\.json.*Register and download.*sources\.ssv2"
    ):
        annotation_files(tmp_path)
    with pytest.raises(UserError, match="no part of the archive and no video"):
        archive_parts(tmp_path)
    for part in ("00", "02"):
        (tmp_path / f"20bn-something-something-v2-{part}").touch()
    with pytest.raises(UserError, match="lacks the part 20bn-something-something-v2-01"):
        archive_parts(tmp_path)
    (tmp_path / "20bn-something-something-v2-01.zip").touch()
    assert [p.name[-2:] for p in archive_parts(tmp_path)] == ["00", "ip", "02"]
    (tmp_path / "train.json").write_text('{"not": "a list"}')
    (tmp_path / "validation.json").write_text("[]")
    with pytest.raises(UserError, match=r"train\.json is not an annotation file"):
        templates(annotation_files(tmp_path))


def test_lists_of_archives_are_checked(tmp_path):
    (tmp_path / "list.txt").write_text("https://host/k400/part_0.tar.gz\n\nfile:///etc/passwd\n")
    with pytest.raises(UserError, match=r"line 3: 'file:///etc/passwd' is not the URL of a tar archive"):
        archive_urls([tmp_path / "list.txt"])


def test_a_class_with_too_few_videos_stops_with_its_name(tmp_path, monkeypatch):
    entries = [Entry(f"videos/{s} class/{i}.avi", s, 0) for s in SPLITS for i in range(5)]
    facts = pd.DataFrame([("hmdb51", s, 5, 1) for s in SPLITS], columns=["benchmark", "split", "videos", "classes"])
    monkeypatch.setattr("fsar.sources.published.split_lists", lambda: facts)
    inventory = tmp_path / "inventory.parquet"
    there = [
        (e.folder, e.file, f"x/{e.video}", 1) for e in entries if e.file != "0.avi" and e.video != entries[-1].video
    ]
    write_parquet(inventory, pd.DataFrame(there, columns=INVENTORY_SCHEMA.names), INVENTORY_SCHEMA)

    def listed(needed):
        output = tmp_path / "published.csv", tmp_path / "missing.csv"
        list_videos("hmdb51", entries, inventory, [], "readable", dict.fromkeys(SPLITS, needed), *output)
        return [len(pd.read_csv(path)) for path in output]

    assert listed(3) == [11, 4]
    with pytest.raises(UserError, match=r"test class \(test\): 3 of 5 are there, 4 are needed"):
        listed(4)


class Miniature:
    """Small data sets of the true shape, served and put into a folder."""

    def __init__(self, folder: Path):
        self.files: dict[str, Served] = {}
        self.facts: list[tuple[object, ...]] = []
        videos = {
            "avi": make_video(folder / "v.avi", 12, options=("-c:v", "mpeg4", "-bf", "2")),
            "mp4": make_video(folder / "v.mp4", 12),
            "webm": make_video(folder / "v.webm", 12, options=("-c:v", "libvpx-vp9", "-deadline", "realtime")),
        }
        self.videos = {suffix: path.read_bytes() for suffix, path in videos.items()}
        self.hmdb51()
        self.ucf101()
        self.kinetics()
        self.something(folder / "registered")
        self.table = "benchmark,split,path,videos,classes,smallest_class,sha256\n" + "".join(
            ",".join(map(str, row)) + "\n" for row in self.facts
        )

    def lists(self, benchmark: str, lines: dict[str, list[str]]) -> None:
        for split, own in lines.items():
            content = "".join(f"{line}\n" for line in own).encode()
            path = f"configs/{benchmark}/{split}_few_shot.txt"
            self.files[f"lists/{path}"] = Served(content)
            sha256 = hashlib.sha256(content).hexdigest()
            self.facts.append((benchmark, split, path, len(own), CLASSES[split], PER_CLASS, sha256))

    def hmdb51(self) -> None:
        names = iter(["brush_hair", "catch", "shoot_bow", "eat", "golf", "fencing", "kick"])
        lines, inner = {split: [] for split in SPLITS}, []
        for split, count in CLASSES.items():
            for number in range(count):
                name = next(names)
                files = [f"Die_Another_Day_[HD]_(a & b)!!_{name}_f_nm_np1_fr_goo_{i}.avi" for i in range(PER_CLASS)]
                files[0] = f"größe'_{name}_u_cm_np1_ba_bad_0.avi"
                lines[split] += [f"{split}{number}//videos/{name}/{file}" for file in files]
                members = [(f"{name}/{file}", self.videos["avi"]) for file in [*files, "unlisted.avi"]]
                inner.append((f"{name}.rar", make_rar(members)))
        self.lists("hmdb51", lines)
        # The connection breaks twice.
        archive = make_rar(inner)
        self.files["hmdb51_org.rar"] = Served(archive, drops=[len(archive) // 3, len(archive) // 3])

    def ucf101(self) -> None:
        names = iter(["ApplyEyeMakeup", "BlowDryHair", "Archery", "TaiChi", "HandstandPushups", "HighJump", "Shotput"])
        lines, members = {split: [] for split in SPLITS}, []
        for split, count in CLASSES.items():
            for number in range(count):
                name = next(names)
                files = [f"v_{name.replace('dstand', 'dStand')}_g01_c{i:02d}.avi" for i in range(PER_CLASS)]
                lines[split] += [f"{split}{number}//videos/{name}/{file}" for file in files]
                # The zip has one folder for all, and its own way of writing a class.
                members += [(f"UCF101/{file.replace('dStand', 'dstand')}", self.videos["avi"]) for file in files]
        self.lists("ucf101", lines)
        self.files["UCF101_videos.zip"] = Served(make_zip(members), head=False)

    def kinetics(self) -> None:
        names = iter(
            ["air_drumming", "arm_wrestling", "beatboxing", "baking_cookies", "high_kick", "ski_jumping", "diving"]
        )
        lines, members = {split: [] for split in SPLITS}, []
        for split, count in CLASSES.items():
            for number in range(count):
                name = next(names)
                for i in range(PER_CLASS):
                    youtube = f"{'-_'[i % 2]}{split[:2]}{number}{i}abcdef"[:11].ljust(11, "x")
                    whole = f"{youtube}_{i:06d}_{i + 10:06d}.mp4"
                    listed = (whole, f"{youtube}.mp4", f"{youtube}.mkv", whole)[i]  # with and without a time range
                    lines[split].append(f"{split}{number}//train_256/{name}/{listed}")
                    if (name, i) != ("diving", 3):  # one is gone
                        members.append((whole, self.videos["mp4"]))
        self.lists("kinetics100", lines)
        members.insert(3, ("unlisted123_000001_000011.mp4", self.videos["mp4"]))
        self.archives = [f"k400/{part}.tar.gz" for part in ("train/part_0", "train/part_1", "val/part_0")]
        for number, name in enumerate(self.archives):
            self.files[name] = Served(make_tar(members[number::3]))

    def kinetics_lists(self, url: str) -> None:
        """Serve the lists of archives, which name the server."""
        for split in ("train", "val"):
            own = [url + name for name in self.archives if f"/{split}/" in name]
            self.files[f"k400/{split}/k400_{split}_path.txt"] = Served("\n".join(own).encode())

    def places(self, url: str) -> str:
        """Return what stands for the public places: of HMDB51's none answers, of UCF101's the second, with checksum."""
        archive = self.files["UCF101_videos.zip"].content
        rows = [
            "of,url,bytes,sha256",
            f"split_lists,{url}lists/,,",
            f"ucf101,{url}gone/UCF101.rar,,",
            f"ucf101,{url}UCF101_videos.zip,{len(archive)},{hashlib.sha256(archive).hexdigest()}",
            f"hmdb51,{url}gone/hmdb51_org.rar,,",
            f"kinetics,{url}gone/,,",
        ]
        return "".join(f"{row}\n" for row in rows)

    def something(self, folder: Path) -> None:
        members, labels = [], []
        for benchmark, first in (("ssv2_full", 1000), ("ssv2_small", 5000)):
            lines, number = {split: [] for split in SPLITS}, first
            for split, count in CLASSES.items():
                for label in range(count):
                    for _ in range(PER_CLASS):
                        lines[split].append(f"{split}{label}/{number}")
                        members.append((f"20bn-something-something-v2/{number}.webm", self.videos["webm"]))
                        labels.append(
                            {"id": str(number), "template": f"Moving [something] {benchmark} {split} {label}"}
                        )
                        number += 1
            self.lists(benchmark, lines)
        archive = make_tar([*members, ("20bn-something-something-v2/9.webm", b"unlisted")])
        (folder / "labels").mkdir(parents=True)
        for part in range(3):
            piece = archive[part * len(archive) // 3 : (part + 1) * len(archive) // 3]
            (folder / f"20bn-something-something-v2-{part:02d}").write_bytes(piece)
        for name, own in (("train", labels[:20]), ("validation", labels[20:])):
            (folder / f"labels/something-something-v2-{name}.json").write_text(json.dumps(own))


@pytest.fixture(scope="module")
def prepared(repository, tmp_path_factory):
    """A copy of the project in which `snakemake data` has prepared all five benchmarks from the miniatures."""
    folder = copy_project(repository, tmp_path_factory.mktemp("benchmarks") / "project")
    own = tmp_path_factory.mktemp("miniature")
    miniature = Miniature(own)
    (folder / "fsar/benchmarks/split_lists.csv").write_text(miniature.table)
    with serving(miniature.files) as url:
        miniature.kinetics_lists(url)
        (folder / "fsar/sources/places.csv").write_text(miniature.places(url))
        small = {"frames": {"size": 64, "shards": 2}, "shots": [1, 2]}
        settings = {
            "run": {"benchmarks": FETCHED, "ways": [2], "backbones": ["small-clip"]},
            "benchmarks": dict.fromkeys(FETCHED, small),
            "training": {"way": 2, "queries": 1},
            "episodes": {"val": 10, "test": 10},
            "sources": {
                "hmdb51": {"mirrors": [url + "hmdb51_org.rar"]},
                "kinetics": {"mirrors": [url + "k400"], "parts": 2},
                "ssv2": {"folder": str(own / "registered")},
                "pause": 0.05,
            },
        }
        (folder / "miniature.yaml").write_text(yaml.safe_dump(settings))
        (folder / "asked.txt").write_text(snakemake(folder, "check_sources", *MINIATURE))
        miniature.files["UCF101_videos.zip"].statuses.append(503)
        snakemake(folder, "data", *MINIATURE)
    return folder


MINIATURE = ["--configfile", "miniature.yaml"]


def test_every_benchmark_is_there(prepared):
    videos = {split: count * PER_CLASS for split, count in CLASSES.items()}
    for benchmark in FETCHED:
        manifest = pd.read_parquet(prepared / f"data/{benchmark}/manifest.parquet")
        gone = int(benchmark == "kinetics100")
        assert manifest["split"].value_counts().to_dict() == videos | {"test": videos["test"] - gone}
        index = pd.read_parquet(prepared / f"data/{benchmark}/frames/index.parquet")
        assert (index["status"] == "ok").all() and set(index["source_frames"]) == {12}
        counts = read_json(prepared / f"results/data/{benchmark}.json")
        assert counts == {
            "listed": 28,
            "missing": gone,
            "failed": 0,
            "used": 28 - gone,
            "with_lost_frames": 0,
            "with_wrong_frames": 0,
        }
        for name in ("val-2way-1shot", "test-2way-1shot", "test-2way-2shot"):
            assert (prepared / f"data/{benchmark}/episodes/{name}.parquet").exists()
    names = {b: set(pd.read_parquet(prepared / f"data/{b}/manifest.parquet")["class_name"]) for b in FETCHED}
    assert {"brush hair", "shoot bow"} <= names["hmdb51"] and "Apply Eye Makeup" in names["ucf101"]
    assert "baking cookies" in names["kinetics100"] and "Moving [something] ssv2_small test 1" in names["ssv2_small"]


def test_ids_are_those_of_the_lists_and_files_are_where_they_should_be(prepared):
    manifest = pd.read_parquet(prepared / "data/hmdb51/manifest.parquet")
    assert manifest["video_id"].str.startswith("videos/").all() and manifest["video_id"].str.contains("größe'").any()
    assert manifest["path"].str.startswith("data/sources/hmdb51/videos/").all()
    assert not list(prepared.rglob("unlisted*")) and not list(prepared.rglob("9.webm"))
    assert not list((prepared / "data/sources/kinetics").glob("archives/*.tar.gz"))
    missing = pd.read_csv(prepared / "data/kinetics100/missing.csv")
    assert list(missing["class"]) == ["diving"] and list(missing["split"]) == ["test"]


def test_places_are_asked_before_they_are_used(prepared):
    """Each place of each file with its size, before any download; afterwards it is recorded which one was used."""
    asked = (prepared / "asked.txt").read_text()
    rows = [line.split(maxsplit=3) for line in asked.splitlines()]
    used = {row[0]: row[2:] for row in rows if row[1:2] == ["yes"]}
    assert len(used) == 15 + 2 + 2  # split lists, archives, lists of archives
    for path, (size, answer) in used.items():
        record = json.loads((prepared / f"{path}.record.json").read_text())
        assert (size, answer.split()) == (f"{record['bytes']:,}", ["answers", record["url"]])
    records = [used[f"data/sources/{name}/archive"][1].rsplit("/", 1)[-1] for name in ("hmdb51", "ucf101")]
    assert records == ["hmdb51_org.rar", "UCF101_videos.zip"]
    refused = [row[0] for row in rows if "is refused by its server: 404 Not Found" in " ".join(row)]
    lists = ["data/sources/kinetics/train.txt", "data/sources/kinetics/val.txt"]
    assert sorted(refused) == ["all", "data/sources/hmdb51/archive", *lists, "data/sources/ucf101/archive"]
    assert re.search(r"^all 3 archives +yes +[\d,]+ +answers +http://\S+/k400$", asked, re.MULTILINE)


def test_another_study_links_what_was_fetched(prepared, tmp_path):
    """As the README says: the folder of sources is linked into the study's directory, and nothing is fetched again."""
    (tmp_path / "study/data").mkdir(parents=True)
    (tmp_path / "study/data/sources").symlink_to(prepared / "data/sources")
    planned = rules_to_run(prepared, "data", "--directory", str(tmp_path / "study"), *MINIATURE)
    assert {"decode_frames", "list_videos"} <= planned
    assert not {rule for rule in planned if rule.startswith(("fetch_", "unpack_"))}


def test_a_file_that_no_place_gives_is_told(prepared, tmp_path):
    folder = copy_project(prepared, tmp_path / "project")
    values = yaml.safe_load((prepared / "miniature.yaml").read_text())
    values["run"]["benchmarks"] = ["hmdb51"]
    (folder / "miniature.yaml").write_text(yaml.safe_dump(values))
    shutil.copytree(prepared / "data/sources/split_lists", folder / "data/sources/split_lists")
    output = snakemake(folder, "check_sources", *MINIATURE, ok=False)
    assert "No place gives data/sources/hmdb51/archive: the table above has the reasons" in output
    logged = (folder / "logs/check_sources.log").read_text()
    assert logged.count("is there already") == 3 and logged.count("Connection refused") == 2


def test_the_report_of_the_data(prepared):
    table = pd.read_parquet(prepared / "results/data/kinetics100.parquet")
    assert table["status"].value_counts().to_dict() == {"ok": 27, "missing": 1}
    page = (prepared / "results/data/kinetics100.html").read_text()
    assert "not among the files of the data set" in page and "ski jumping" in page and "data:image/jpeg" in page
    strips = pd.read_parquet(prepared / "results/data/kinetics100.strips.parquet")
    assert set(strips["class_name"]) == set(table.query("status == 'ok'")["class_name"])
    assert page.count("data:image/jpeg") == len(strips) and all(s.startswith(b"\xff\xd8") for s in strips["strip"])


def test_nothing_is_done_twice(prepared):
    assert nothing_to_do(prepared, "data", *MINIATURE)  # the server is gone by now


def test_no_edit_of_the_config_makes_a_finished_download_again(prepared):
    """Other places, no patience: what was fetched is there. The server is gone, so a download would fail, too."""
    values = yaml.safe_load((prepared / "miniature.yaml").read_text())
    gone = "http://127.0.0.1:9/"
    mirrors = {
        "split_lists": [gone],
        "hmdb51": {"mirrors": [gone + "x.rar"]},
        "ucf101": {"mirrors": [{"url": gone + "y.rar", "bytes": 7, "sha256": "0" * 64}, gone + "z.zip"]},
        "kinetics": {"mirrors": [gone], "parts": 2},
    }
    patience = {"rate_limit": 1.0, "retries": 2, "pause": 0.5, "timeout": 1.0}
    runs = []
    for number, changes in enumerate(({}, mirrors, patience)):
        path = prepared / f"other {number}.yaml"
        path.write_text(yaml.safe_dump(values | {"sources": values["sources"] | changes}))
        runs.append(["data", "--configfile", path.name])
    assert all("Nothing to be done" in output for output in dry_runs(prepared, runs))


def test_keys_of_published_benchmarks_make_again_what_they_say(prepared, tmp_path):
    """Those that need the data sets; the others are changed in tests/workflow/test_reruns.py."""
    values = yaml.safe_load((prepared / "miniature.yaml").read_text())
    copied = tmp_path / "my copy"
    shutil.copytree(prepared / "data/sources/ucf101/videos", copied)
    changes = {
        "PublishedSource.prompts": (["benchmarks", "hmdb51", "source"], {"kind": "hmdb51", "prompts": "published"}),
        "KineticsArchives.parts": (["sources", "kinetics", "parts"], 1),
        "KineticsArchives.folder": (["sources", "kinetics", "folder"], str(prepared / "data/sources/kinetics/videos")),
        "Archive.folder": (["sources", "ucf101", "folder"], str(copied)),
        "RunConfig.shots": (["run", "shots"], [1]),
        "RunConfig.methods": (["run", "methods"], ["clip-freeze"]),
        "EpisodesConfig.queries": (["episodes", "queries"], 2),
        "TrainingConfig.queries": (["training", "queries"], 2),
    }
    runs = []
    for key, (path, value) in changes.items():
        changed = section = json.loads(json.dumps(values))  # YAML would keep what the benchmarks share
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = value
        (prepared / f"{key}.yaml").write_text(yaml.safe_dump(changed))
        runs.append(["data", "--configfile", f"{key}.yaml"])
    found = {key: set(planned(output)) for key, output in zip(changes, dry_runs(prepared, runs), strict=True)}
    from_folder = {"list_folder", "decode_frames"}
    assert "list_videos" in found["PublishedSource.prompts"]
    assert "decode_frames" not in found["PublishedSource.prompts"]
    assert {"fetch_kinetics_part", "list_folder"} <= found["KineticsArchives.parts"]
    assert "decode_frames" not in found["KineticsArchives.parts"]  # the videos are there
    assert from_folder <= found["KineticsArchives.folder"] & found["Archive.folder"]
    for key in ("RunConfig.shots", "RunConfig.methods", "EpisodesConfig.queries", "TrainingConfig.queries"):
        assert found[key] <= {"draw_episodes", "data"}, key  # no video is listed again


def test_a_video_that_is_found_later_decodes_its_shard_alone(prepared):
    missing = pd.read_csv(prepared / "data/kinetics100/missing.csv")["id"].item()
    old = next((prepared / "data/sources/kinetics/videos").rglob("*.mp4"))
    shards = {path: path.stat().st_mtime_ns for path in prepared.glob("data/*/frames/shard-*.arrow")}
    new = old.with_name(Path(missing).name)
    shutil.copy(old, new)
    plan = snakemake(prepared, "--dry-run", "data", *MINIATURE)
    assert len(re.findall(r"^rule decode_frames:", plan, re.MULTILINE)) == 1
    snakemake(prepared, "data", *MINIATURE)
    decoded = [path for path, time in shards.items() if path.stat().st_mtime_ns != time]
    number = shard_of(missing, 2)
    assert decoded == [prepared / f"data/kinetics100/frames/shard-{number:03d}.arrow"]
    index = pd.read_parquet(prepared / "data/kinetics100/frames/index.parquet")
    assert len(index) == 28 and missing in set(index["video_id"])
    assert nothing_to_do(prepared, "data", *MINIATURE)
    new.unlink()
    snakemake(prepared, "data", *MINIATURE)
    assert len(pd.read_parquet(prepared / "data/kinetics100/frames/index.parquet")) == 27


def test_one_benchmark_alone_is_a_target(prepared):
    plan = snakemake(prepared, "--dry-run", "--forceall", "data_ucf101", *MINIATURE)
    assert "data/sources/ucf101/archive" in plan
    assert not re.search(r"data/(hmdb51|kinetics100|ssv2_full)/", plan)


def test_verify_names_damage_and_builds_a_shard_again(prepared):
    assert "Every file is as it was recorded" in snakemake(prepared, "verify", *MINIATURE)
    shard = prepared / "data/ucf101/frames/shard-001.arrow"
    whole = shard.read_bytes()
    other = {p: p.stat().st_mtime_ns for p in prepared.glob("data/*/frames/*") if p != shard}
    shard.write_bytes(whole[:-500] + b"damaged" + whole[-493:])
    output = snakemake(prepared, "verify", *MINIATURE)
    assert "shard-001.arrow: damaged, building again" in output and "the same as before" in output
    assert shard.read_bytes() == whole
    assert {p: p.stat().st_mtime_ns for p in other} == other
    assert nothing_to_do(prepared, "data", *MINIATURE)  # and nothing after it is made again

    index = prepared / "data/hmdb51/frames/index.parquet"
    whole = index.read_bytes()
    index.write_bytes(b"nothing")
    snakemake(prepared, "verify", *MINIATURE)
    assert index.read_bytes() == whole

    video = next((prepared / "data/sources/ucf101/videos").rglob("*.avi"))
    archive = prepared / "data/sources/hmdb51/archive"
    before = video.read_bytes(), archive.read_bytes()
    video.unlink()
    archive.write_bytes(before[1][:-1] + b"X")
    output = snakemake(prepared, "verify", *MINIATURE, ok=False)
    assert f"{video.name} is gone; delete" in output and "hmdb51/archive is not what was downloaded" in output
    video.write_bytes(before[0])
    archive.write_bytes(before[1])


@pytest.mark.slow
def test_files_that_are_there_already_are_used(prepared, tmp_path):
    """A folder named in the config replaces the download; ids and frames stay the same."""
    folder = copy_project(prepared, tmp_path / "project")
    shutil.copy(prepared / "miniature.yaml", folder)
    shutil.copytree(prepared / "data/sources/split_lists", folder / "data/sources/split_lists")
    shutil.copytree(prepared / ".snakemake/metadata", folder / ".snakemake/metadata")
    values = yaml.safe_load((folder / "miniature.yaml").read_text())
    values["run"]["benchmarks"] = ["ucf101"]
    shutil.copytree(prepared / "data/sources/ucf101/videos", tmp_path / "my copy" / "deep")
    values["sources"]["ucf101"] = {"folder": str(tmp_path / "my copy")}
    (folder / "miniature.yaml").write_text(yaml.safe_dump(values))
    plan = rules_to_run(folder, "data/ucf101/frames/index.parquet", *MINIATURE)
    assert {"list_folder", "list_videos", "decode_frames"} <= plan and plan.isdisjoint(
        {"fetch_archive", "unpack_archive"}
    )
    snakemake(folder, "data/ucf101/frames/index.parquet", *MINIATURE)
    ours, theirs = (pd.read_parquet(f / "data/ucf101/frames/index.parquet") for f in (folder, prepared))
    pd.testing.assert_frame_equal(ours, theirs)


def test_a_list_that_is_not_the_published_one_is_refused(prepared, tmp_path):
    folder = copy_project(prepared, tmp_path / "project")
    with serving({"lists/configs/ucf101/val_few_shot.txt": Served(b"val0//videos/x/y.avi\n")}) as url:
        values = yaml.safe_load((prepared / "miniature.yaml").read_text())
        values["sources"]["split_lists"] = [url + "lists/"]
        (folder / "miniature.yaml").write_text(yaml.safe_dump(values))
        output = snakemake(folder, "data/sources/split_lists/ucf101-val.txt", *MINIATURE, ok=False)
    assert "gave a file with the sha256" in output and not list(folder.rglob("*-val.txt"))


def test_a_changed_csv_decodes_only_the_shards_it_touches(repository, tmp_path):
    folder = copy_project(repository, tmp_path / "project")
    video = make_video(tmp_path / "v.mp4", 8)
    rows = [(f"{s} {c} {i}.mp4", f"{s} {c}", s) for s in SPLITS for c in range(5) for i in range(6)]
    for number, row in enumerate([*rows, ("new.mp4",)]):
        # The same pictures, and bytes that tell them apart.
        (tmp_path / row[0]).write_bytes(video.read_bytes() + (12).to_bytes(4) + b"free" + number.to_bytes(4))

    def write(listed):
        with (tmp_path / "videos.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("path", "class", "split"), *listed])

    values = yaml.safe_load((folder / "configs/own_videos.yaml").read_text())
    values["run"]["backbones"] = ["small-clip"]
    values["benchmarks"]["own"] |= {"source": {"kind": "csv", "file": str(tmp_path / "videos.csv")}}
    values["benchmarks"]["own"]["frames"] = {"size": 64, "shards": 6}
    (folder / "own.yaml").write_text(yaml.safe_dump(values))
    target = ["data/own/frames/index.parquet", "--configfile", "own.yaml"]
    write(rows)
    snakemake(folder, *target)
    write([*rows, ("new.mp4", "test 0", "test")])
    plan = snakemake(folder, "--dry-run", *target)
    assert len(re.findall(r"^rule decode_frames:", plan, re.MULTILINE)) == 1
    snakemake(folder, *target)
    index = pd.read_parquet(folder / "data/own/frames/index.parquet")
    assert len(index) == 91 and (index["status"] == "ok").all()


def test_archives_that_came_by_hand_may_be_deleted_once_unpacked(prepared):
    folder = Path(yaml.safe_load((prepared / "miniature.yaml").read_text())["sources"]["ssv2"]["folder"])
    parts = archive_parts(folder)
    targets = ["data_ssv2_full", "data_ssv2_small"]
    kept = {part: part.read_bytes() for part in parts}
    for gone in (parts[1:2], parts):  # some of them, all of them
        for part in gone:
            part.unlink(missing_ok=True)
        assert nothing_to_do(prepared, *targets, *MINIATURE)
    for part, content in kept.items():
        part.write_bytes(content)
    assert nothing_to_do(prepared, *targets, *MINIATURE)


@pytest.mark.parametrize("folder", ["nowhere", "asked.txt"])
def test_a_folder_of_videos_that_is_not_there_is_told_before_any_job(prepared, folder):
    values = yaml.safe_load((prepared / "miniature.yaml").read_text())
    values["run"]["benchmarks"] = ["hmdb51"]
    values["sources"]["hmdb51"] = {"folder": folder}
    (prepared / "missing.yaml").write_text(yaml.safe_dump(values))
    output = snakemake(prepared, "data", "--dry-run", "--configfile", "missing.yaml", ok=False)
    assert f"sources.hmdb51.folder is '{folder}', which cannot be looked into" in output and "Traceback" not in output
