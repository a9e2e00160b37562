"""The workflow meets stops, broken and awkward videos, mistakes, and no network: in a copy with its data prepared."""

import os
import re
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fsar.videos.shards import shard_of
from tests.helpers.hold import PATIENCE, STEP, plant, wait_until
from tests.helpers.videos import make_broken_videos, make_video
from tests.helpers.workflow import (
    TABLE,
    TINY,
    copy_made,
    copy_project,
    nothing_to_do,
    overlay,
    rules_to_run,
    snakemake,
    start_snakemake,
    write_listing,
)


@pytest.fixture(scope="module")
def prepared(repository, tiny_run, tmp_path_factory):
    """A copy of the project with the tiny benchmark's data and the small CLIP."""
    folder = copy_project(repository, tmp_path_factory.mktemp("workflow") / "a folder (with spaces) & 'ünïcode'")
    return copy_made(tiny_run, folder, "data")


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_an_interrupted_run_goes_on(prepared, repository, tmp_path, how):
    folder = copy_made(prepared, copy_project(repository, tmp_path / "interrupted"), "data")
    longer = overlay(folder, "longer.yaml")
    values = yaml.safe_load((folder / "longer.yaml").read_text())
    values["benchmarks"]["tiny"]["training"] |= {"iterations": 60, "validate_every": 1000}
    values["run"] = {**values["run"], "methods": ["clip-fsar"], "shots": [1]}
    (folder / "longer.yaml").write_text(yaml.safe_dump(values))
    assert "decode_frames" not in rules_to_run(folder, *longer)

    plant(folder)
    process = start_snakemake(folder, TABLE, *longer)
    wait_until((folder / "held").exists, process)
    os.killpg(process.pid, how)
    process.wait(PATIENCE)
    assert not (folder / "results/table.csv").exists() and list(folder.glob("results/checkpoints/**/*.pt"))

    if how == signal.SIGKILL:
        snakemake(folder, "--unlock", *longer)  # as Snakemake itself advises
    snakemake(folder, TABLE, *longer)
    assert f"going on from step {STEP} " in next(folder.glob("logs/train_model/*.log")).read_text()
    assert (folder / "results/table.csv").exists() and not list(folder.glob("results/checkpoints/**/*.pt"))


def own_videos(prepared: Path, listing: Path, **settings) -> list[str]:
    """An overlay that runs a CSV of videos at tiny size, with the small CLIP of the prepared copy."""
    values = yaml.safe_load((prepared / "configs/tiny.yaml").read_text())
    tiny = values["benchmarks"]["tiny"]
    values["run"] |= {"benchmarks": ["own"], "shots": [1], **settings.pop("run", {})}
    values["benchmarks"] = {"own": {**tiny, "source": {"kind": "csv", "file": str(listing)}, **settings}}
    (prepared / "own.yaml").write_text(yaml.safe_dump(values))
    return ["--configfile", "own.yaml"]


def test_own_videos_with_awkward_names_and_broken_ones(prepared, tmp_path):
    endings = ["plain.mp4", "it's (50%) & so!.avi", 'quo"ted $HOME;.mkv', "größe 動画.webm"]
    rows = []
    for split in ("train", "val", "test"):
        for label in range(4):
            for ending in endings:
                path = make_video(tmp_path / f"{split} {label} {ending}", 12)
                rows.append((path.name, f"{split} class {label}", split))
    broken = make_broken_videos(tmp_path)
    rows += [(name, "test class 0", "test") for name in broken]
    listing = write_listing(tmp_path / "my videos.csv", rows)

    methods = {"methods": ["clip-freeze", "clip-fsar"]}
    refused = snakemake(prepared, TABLE, *own_videos(prepared, listing, run=methods), ok=False)
    assert f"{len(broken)} of {len(rows)} videos cannot be decoded" in refused and "missing.mp4" in refused
    decoded = (prepared / "data/own/frames/shard-000.arrow").stat().st_mtime_ns

    tolerant = {"size": 72, "shards": 2, "max_failed": 0.5}
    snakemake(prepared, TABLE, *own_videos(prepared, listing, run=methods, frames=tolerant))
    assert (prepared / "data/own/frames/shard-000.arrow").stat().st_mtime_ns == decoded  # nothing lost
    assert set(pd.read_csv(prepared / "results/table.csv")["benchmark"]) == {"own"}
    index = pd.read_parquet(prepared / "data/own/frames/index.parquet")
    assert (index["status"] == "failed").sum() == len(broken)


def clips_for_a_test(folder: Path) -> list[tuple[str, str, str]]:
    """Write test videos alone, 5 of each of 4 classes, and return their rows of a list."""
    video = make_video(folder / "video.mp4", 9)
    rows = [(f"{label} {number}.mp4", f"class {label}", "test") for label in range(4) for number in range(5)]
    for name, _, _ in rows:
        shutil.copy(video, folder / name)
    return rows


def test_a_mended_video_decodes_its_shard_and_nothing_else(prepared, tmp_path):
    rows = clips_for_a_test(tmp_path)
    listing = write_listing(tmp_path / "videos.csv", rows)
    settings = {"methods": ["clip-freeze"], "frames": {"size": 72, "shards": 4}}
    arguments = own_videos(prepared, listing, run={"methods": ["clip-freeze"]}, **settings)
    broken = tmp_path / rows[0][0]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    refused = snakemake(prepared, TABLE, *arguments, ok=False)
    assert "1 of 20 videos cannot be decoded" in refused and rows[0][0] in refused
    shards = {path: path.stat().st_mtime_ns for path in prepared.glob("data/own/frames/shard-*.arrow")}
    assert len(shards) == 4
    broken.write_bytes(whole)
    snakemake(prepared, TABLE, *arguments)
    changed = [path for path, time in shards.items() if path.stat().st_mtime_ns != time]
    assert changed == [prepared / f"data/own/frames/shard-{shard_of(rows[0][0], 4):03d}.arrow"]
    assert set(pd.read_parquet(prepared / "data/own/frames/index.parquet")["status"]) == {"ok"}
    assert nothing_to_do(prepared, TABLE, *arguments)

    # Another video under the name of one that was fine.
    make_video(broken, 15)
    assert rules_to_run(prepared, "data/own/frames/index.parquet", *arguments) == {"decode_frames", "gather_index"}


def test_with_keep_going_the_table_has_what_could_be_made(prepared, tmp_path):
    rows = clips_for_a_test(tmp_path)
    listing = write_listing(tmp_path / "videos.csv", rows)
    whole = (tmp_path / rows[0][0]).read_bytes()
    (tmp_path / rows[0][0]).write_bytes(b"no video")
    own_videos(prepared, listing)
    values = yaml.safe_load((prepared / "own.yaml").read_text())
    values["benchmarks"]["tiny"] = yaml.safe_load((prepared / "configs/tiny.yaml").read_text())["benchmarks"]["tiny"]
    values["run"] |= {"benchmarks": ["own", "tiny"], "methods": ["clip-freeze"], "shots": [1]}
    (prepared / "two.yaml").write_text(yaml.safe_dump(values))
    arguments = [TABLE, "--keep-going", "--configfile", "two.yaml"]
    (prepared / TABLE).unlink(missing_ok=True)
    (prepared / "results/table.md").unlink(missing_ok=True)
    output = snakemake(prepared, *arguments, ok=False)
    assert "Missing: rows of own with small-clip" in output and "1 of 20 videos cannot be decoded" in output
    assert "results/partial-table.csv has the rows of what was made" in output
    partial = prepared / "results/partial-table.csv"
    assert list(pd.read_csv(partial)["benchmark"]) == ["tiny"] and not (prepared / TABLE).exists()
    page = partial.with_suffix(".md").read_text()
    assert "This table is not complete" in page and "- own, small-clip, CLIP-Freeze, 3-way 1-shot" in page
    assert not (prepared / "results/table.md").exists()
    # A part is not taken for the whole, even where the rest is no longer asked for.
    values["run"]["benchmarks"] = ["tiny"]
    (prepared / "one.yaml").write_text(yaml.safe_dump(values))
    assert "write_tables" in rules_to_run(prepared, TABLE, "--configfile", "one.yaml")
    (tmp_path / rows[0][0]).write_bytes(whole)
    snakemake(prepared, *arguments)
    assert list(pd.read_csv(prepared / TABLE)["benchmark"]) == ["own", "tiny"]
    assert "not complete" not in (prepared / "results/table.md").read_text()
    assert not list((prepared / "results").glob("*partial*"))

    # After a whole run: what is made from it fails, once and again; the whole table is that of before, or none.
    features = prepared / "results/features/own/small-clip/frozen/untrained/test.safetensors"
    predictions = prepared / "results/predictions/own/small-clip/frozen/untrained.parquet"
    whole = (prepared / TABLE).read_bytes()
    for gone in ([predictions], [predictions, prepared / TABLE]):
        for path in gone:
            path.unlink(missing_ok=True)
        content = bytearray(features.read_bytes())
        content[-1] ^= 1
        features.write_bytes(content)
        (prepared / "results/table.md").unlink(missing_ok=True)
        output = snakemake(prepared, *arguments, ok=False)
        assert f"{features.relative_to(prepared)} is damaged" in output and "Traceback" not in output
        assert list(pd.read_csv(partial)["benchmark"]) == ["tiny"]
        # What Snakemake believes to be the table is the whole one, or it makes the table again.
        kept = (prepared / TABLE).exists()
        assert (
            (prepared / TABLE).read_bytes() == whole if kept else "write_tables" in rules_to_run(prepared, *arguments)
        )
        features.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    features.unlink()  # as the message says
    snakemake(prepared, *arguments)
    assert (prepared / TABLE).read_bytes() == whole and not list((prepared / "results").glob("*partial*"))
    assert nothing_to_do(prepared, *arguments)


@pytest.mark.slow
def test_real_videos_of_something_something(prepared, real_clips):
    listing = real_clips / "ssv2_sample" / "videos.csv"
    snakemake(prepared, TABLE, *own_videos(prepared, listing))
    table = pd.read_csv(prepared / "results/table.csv")
    assert list(table["method"]) == ["CLIP-FSAR zero-shot", "CLIP-Freeze", "OTAM", "CLIP-FSAR", "CLIP-FSAR + text"]
    assert table["accuracy"].notna().all()


GOOD_ROWS = [(f"{s}{c}{i}.mp4", f"{s}{c}", s) for s in ("train", "val", "test") for c in range(4) for i in range(3)]


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (
            GOOD_ROWS,
            {"run": {"ways": [5]}},
            "way is 5, but benchmark 'own' has 4 test classes; the nearest valid value",
        ),
        (GOOD_ROWS, {"run": {"shots": [3]}}, "the largest valid shot is 2"),
        (GOOD_ROWS[:-2], {"run": {"shots": [2]}}, "class 'test3' (test) of benchmark 'own' has 1"),
        ([*GOOD_ROWS, ("x.mp4", "test0", "train")], {}, "the class 'test0' is in the splits test and train"),
        ([*GOOD_ROWS, GOOD_ROWS[0]], {}, "is listed 2 times"),
        (GOOD_ROWS, {"frams": {}}, "unknown key benchmarks.own.frams; did you mean 'frames'?"),
    ],
)
def test_mistakes_end_before_any_job_with_one_message(prepared, tmp_path, rows, settings, message):
    listing = write_listing(tmp_path / "videos.csv", rows)
    output = snakemake(prepared, "--dry-run", *own_videos(prepared, listing, **settings), ok=False)
    assert message in output and "Traceback" not in output and not re.search(r"^rule ", output, re.MULTILINE)


def test_a_list_that_is_missing(prepared, tmp_path):
    output = snakemake(prepared, "--dry-run", *own_videos(prepared, tmp_path / "none.csv"), ok=False)
    assert "There is no list of videos at" in output and "Traceback" not in output


def test_nested_values_on_the_command_line_are_refused(prepared):
    output = snakemake(prepared, "--dry-run", *TINY, "--config", "run=shots", ok=False)
    assert "run must be a section of keys" in output


def test_openai_weights_without_a_network(prepared):
    target = "results/features/tiny/RN50/frozen/untrained/test.safetensors"
    overlay(prepared, "rn50.yaml", run={"backbones": ["RN50"]})
    values = yaml.safe_load((prepared / "rn50.yaml").read_text())
    values["benchmarks"]["tiny"]["frames"]["size"] = 224
    (prepared / "rn50.yaml").write_text(yaml.safe_dump(values))
    arguments = ["--configfile", "rn50.yaml"]
    variables = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(prepared / "no cache")}  # read at an import
    output = snakemake(prepared, target, *arguments, ok=False, anew=True, **variables)
    assert "could not be downloaded" in output and "backbones.….weights" in output
    assert (prepared / "data/tiny/frames/index.parquet").exists()
