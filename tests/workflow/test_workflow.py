"""The workflow itself, run as a user runs it, in a copy of the project at the smallest size."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from fsar.errors import UserError
from fsar.evaluation.predictions import read_predictions
from fsar.methods import METHODS
from tests.helpers.commands import commands
from tests.helpers.small_models import SMALL_ADAPTERS, SMALL_HEADS, THREE_TEXTS
from tests.helpers.workflow import (
    TABLE,
    TINY,
    copy_project,
    nothing_to_do,
    overlay,
    prepare_inputs,
    rules_to_run,
    snakemake,
)
from tests.results.test_index import Targets
from tools.pictures import write_pictures


@pytest.fixture(scope="module")
def finished(tiny_run, tmp_path_factory):
    """A copy of the project with the tiny run finished."""
    folder = tmp_path_factory.mktemp("workflow") / tiny_run.name
    return Path(shutil.copytree(tiny_run, folder, copy_function=shutil.copy2))


def test_every_config_is_a_command_and_every_profile_plans_a_table(repository, tmp_path):
    """Commands are run as dry runs by tests/workflow/test_docs.py, those of this config by the tests below."""
    named = " ".join(" ".join(command) for command in commands(repository) if "snakemake" in command)
    configs = {str(path.relative_to(repository)) for path in (repository / "configs").glob("*.yaml")}
    assert len(configs) > 10 and {path for path in configs if path not in named} <= {"configs/tiny.yaml"}
    folder = copy_project(repository, tmp_path / "project")
    prepare_inputs(folder)
    for profile in ("slurm", "local-gpu"):
        assert "write_tables" in rules_to_run(folder, "--workflow-profile", f"profiles/{profile}")


def test_the_paper_takes_one_training_per_model_for_all_shots(repository, tmp_path):
    folder = copy_project(repository, tmp_path / "project")
    prepare_inputs(folder)
    plan = snakemake(folder, "--dry-run", "--configfile", "configs/paper.yaml", "configs/small_gpu.yaml")
    trained = re.findall(r"^ +output: results/models/(\S+?)/model.safetensors", plan, re.MULTILINE)
    main, ablated = ["otam", "clip-fsar"], ["otam-video-text", "otam-modulation", "bi-mhm", "clip-fsar-bi-mhm", "trx"]
    ablated += ["clip-fsar-trx"]
    benchmarks = ("ssv2_full", "kinetics100", "ucf101", "ssv2_small", "hmdb51")
    expected = {
        f"{benchmark}/{backbone}/{method}/shot1-seed1"
        for benchmark in benchmarks
        for backbone in ("RN50", "ViT-B-16")
        for method in main + (ablated if benchmark in ("kinetics100", "ssv2_small") else [])
    }
    # Without text: what is published with it.
    expected |= {f"{benchmark}/INet-RN50/otam/shot1-seed1" for benchmark in benchmarks}
    # TRX trains with the shot that it tests, as published on this backbone.
    shots = dict.fromkeys(benchmarks, (1, 3, 5)) | dict.fromkeys(("ssv2_full", "kinetics100"), (1, 2, 3, 4, 5))
    expected |= {f"{benchmark}/INet-RN50/trx/shot{shot}-seed1" for benchmark in benchmarks for shot in shots[benchmark]}
    assert len(trained) == len(expected) == 68 and set(trained) == expected
    validated = re.findall(r"rule train_model:.*?input: (.*?)\n.*?shot=(\d)", plan, re.S)
    assert len(validated) == 68
    assert all(re.findall(r"episodes/(\S+?)-5way-(\d)shot", files) == [("val", shot)] for files, shot in validated)
    tests = re.findall(r"rule evaluate_model:.*?input: (.*?)\n.*?output: results/predictions/(\S+)\n", plan, re.S)
    tests = {output: set(re.findall(r"test-5way-(\d)shot", inputs)) for inputs, output in tests}
    assert tests["ssv2_full/RN50/clip-fsar/seed1.parquet"] == {"0", "1", "2", "3", "4", "5"}
    assert tests["hmdb51/RN50/clip-fsar/seed1.parquet"] == {"0", "1", "3", "5"}
    assert len(tests) == 68 + 10 * 5  # and what trains nothing


def test_the_table(finished):
    table = pd.read_csv(finished / "results/table.csv")
    few_shot = ["CLIP-Freeze", "OTAM", "CLIP-FSAR", "CLIP-FSAR + text"]
    assert list(table["method"]) == ["CLIP-FSAR zero-shot", *few_shot, *few_shot]
    assert list(table["shot"]) == [0, *[1] * 4, *[2] * 4]
    assert set(table["episodes"]) == {60} and table["published"].isna().all()
    assert list(table["selection"][1:4]) == ["not trained", "val", "val"]
    assert table["accuracy"].between(0, 100).all() and (table["interval"] > 0).any()
    markdown = (finished / "results/table.md").read_text().splitlines()
    assert len([line for line in markdown if line.startswith("|")]) == 11 and "±" in markdown[0]
    for suffix, start in ((".pdf", b"%PDF"), (".png", b"\x89PNG"), (".svg", b"<?xml")):
        assert (finished / f"results/figures/accuracy{suffix}").read_bytes().startswith(start)


def test_methods_that_decide_with_the_same_model_share_it(finished):
    models = {
        path.relative_to(finished / "results/models").parts[2] for path in finished.glob("results/models/**/*.md")
    }
    assert models == {"otam", "clip-fsar"}
    card = (finished / "results/models/tiny/small-clip/clip-fsar/shot1-seed1/README.md").read_text()
    assert all(title in card for title in ("CLIP-FSAR zero-shot", "CLIP-FSAR + text", "small-clip.safetensors"))


def test_another_method_leaves_trained_models_as_they_are(finished):
    methods = finished / "fsar/methods/__init__.py"
    before = methods.read_text()
    try:
        methods.write_text(before + '\nMETHODS["mine"] = Method("Mine", "nobody", "", "otam", "both")\n')
        assert nothing_to_do(finished, *TINY)
        metric = finished / "fsar/methods/blocks/bi_mhm.py"
        metric.write_text(metric.read_text() + "\nchanged = True\n")
        assert nothing_to_do(finished, *TINY)  # no method of the config uses it
    finally:
        methods.write_text(before)


@pytest.mark.slow
def test_every_other_method_goes_through_the_workflow(finished):
    """A model per test shot where that is asked, features of the backbone alone for a head alone, tests in parts."""
    others = [
        name
        for name, method in METHODS.items()
        if method.components.head not in ("otam", "clip_fsar") and not method.components.for_video
    ]
    others += ["otam-lora", "otam-aim", "clip-fsar-text-encoder"]
    inside = [
        name for name in others if METHODS[name].components.adapters or METHODS[name].components.needs == "tokens"
    ]
    outside = [name for name in others if name not in inside]
    assert len(inside) > 5 and len(outside) > 8
    arguments = overlay(finished, "methods.yaml", run={"methods": None, "backbones": ["small-clip", "small-vit"]})
    values = yaml.safe_load((finished / "methods.yaml").read_text())
    values["run"]["test_jobs"] = 2
    values["backbones"] = {"small-clip": {"methods": [*outside, "clip-fsar-head"]}, "small-vit": {"methods": inside}}
    values["small_clips"]["small-vit"] = {"model": "small-vit-clip", "stills": 128, "epochs": 1}
    tiny = values["benchmarks"]["tiny"]
    tiny["heads"] = {head: own for head, own in SMALL_HEADS.items() if head not in ("otam", "clip_fsar")}
    tiny["adapters"] = SMALL_ADAPTERS
    texts = {"templates": THREE_TEXTS.templates}
    tiny["text_of_model"] = {"task-adapter": texts, "task-adapter-published": texts}
    tiny["training_of_model"] = {"hyrsm": {"shot": "tested"}, "team": {"optimizer": "sgd", "momentum": 0.9}}
    (finished / "methods.yaml").write_text(yaml.safe_dump(values))
    log = snakemake(finished, *arguments)  # everything: also the page, the records, the figures, the model cards
    assert "features depend on the episode, so 360 videos go through" in log
    table = pd.read_csv(finished / TABLE)
    assert set(table["method"]) == {METHODS[name].title for name in (*others, "clip-fsar-head")}
    plain = {METHODS[name].title for name in others if not METHODS[name].components.needs_training}
    assert len(table) == 2 * (len(others) + 1) and len(plain) > 5
    chosen = [METHODS[name].title for name in others if METHODS[name].components.settings.chooses_text_weight]
    assert table.loc[table["method"].isin(chosen), "selection"].str.fullmatch(r"val \(text weight [01]\.\d\d\)").all()
    unlike = table[~table["method"].isin(chosen)]
    assert set(unlike.loc[unlike["method"].isin(plain), "selection"]) == {"not trained"}
    assert set(unlike.loc[~unlike["method"].isin(plain), "selection"]) == {"val"}
    together = {METHODS[name].title for name in others if not METHODS[name].inductive}
    assert set(table.loc[table["inductive"] == "no", "method"]) == together and len(together) == 3
    models = finished / "results/models/tiny/small-clip"
    assert {path.name for path in (models / "hyrsm").iterdir()} == {"shot1-seed1", "shot2-seed1"}
    assert {path.name for path in (models / "molo").iterdir()} == {"shot1-seed1"}
    head_alone = load_file(models / "clip-fsar-head/shot1-seed1/model.safetensors")
    assert head_alone and all(name.startswith("head.") for name in head_alone)
    features = finished / "results/features/tiny"
    assert not (features / "small-clip/clip-fsar-head").exists() and not (features / "small-vit/task-adapter").exists()
    assert (features / "small-clip/molo/seed1/test.safetensors").is_file()
    assert not list((finished / "results/predictions/tiny/small-vit/task-adapter").glob("seed1/*"))  # the parts
    assert not (features / "small-clip/linear-probe-otam").exists()  # those of the trained OTAM
    assert nothing_to_do(finished, *arguments)
    records = json.loads((finished / "results/records.json").read_text())["records"]
    assert {record["method"]["title"] for record in records} == set(table["method"])
    snakemake(finished, "archive", *arguments)


def test_how_a_training_is_run_trains_nothing_again(finished):
    arguments = overlay(finished, "workers.yaml")
    values = yaml.safe_load((finished / "workers.yaml").read_text())
    values["benchmarks"]["tiny"]["training"] |= {"checkpoint_minutes": 5, "activation_checkpointing": True}
    values["heads"] = {"clip_fsar": {"text_weight": 0.5}}
    (finished / "workers.yaml").write_text(yaml.safe_dump(values))
    rules = rules_to_run(finished, *arguments)
    assert "train_model" not in rules and "encode_features" not in rules and "evaluate_model" in rules


def test_tables_and_figures(finished):
    assert {path.stem for path in finished.glob("results/tables/*")} == {"main-3way", "zero-shot-3way"}
    for path in finished.glob("results/tables/*"):
        assert path.stat().st_size > 50
    figures = {path.stem for path in finished.glob("results/figures/*.parquet")}
    own = {f"{kind}-tiny-small-clip" for kind in ("confusion", "class-gain", "embedding", "episode")}
    assert figures == own | {"accuracy", "curves", "cost"}
    for figure in figures:
        for suffix, start in ((".pdf", b"%PDF"), (".png", b"\x89PNG"), (".svg", b"<?xml")):
            assert (finished / f"results/figures/{figure}{suffix}").read_bytes().startswith(start)
        assert b"/Type3" not in (finished / f"results/figures/{figure}.pdf").read_bytes()  # fonts are embedded whole
    comparisons = pd.read_csv(finished / "results/statistics/comparisons.csv")
    assert len(comparisons) == 2 * 6 and comparisons["p"].between(0, 1).all()
    classes = pd.read_csv(finished / "results/statistics/classes.csv")
    assert set(classes.query("method == 'OTAM'")["class_name"]) == set(
        pd.read_parquet(finished / "data/tiny/manifest.parquet").query("split == 'test'")["class_name"]
    )


def test_the_page_of_results_and_what_the_terminal_says(finished):
    page, targets = (finished / "results/index.html").read_text(), Targets()
    targets.feed(page)
    assert all(source.startswith("data:image/") for source in targets.loaded)  # it loads nothing
    links = [unquote(link) for link in targets.links if not link.startswith("#")]
    assert [link for link in links if not (finished / "results" / link).is_file()] == []
    files = [path for path in finished.glob("results/**/*") if path.is_file() and not path.name.startswith(".")]
    made = {path.relative_to(finished / "results") for path in files}  # but for checksums
    kinds = ("figures", "tables", "statistics", "predictions")
    assert {path for path in made if path.parts[0] in kinds} <= set(map(Path, links))
    said = min(finished.glob(".snakemake/log/*.log")).read_text()
    assert "Time left: " in said and "CLIP-FSAR + text     small-clip" in said and "\nresults/index.html\n" in said


def test_the_pictures_of_the_readme(finished, repository, tmp_path):
    results, first, second = tmp_path / "results", tmp_path / "first", tmp_path / "second"
    with pytest.raises(UserError, match="make table"):
        write_pictures(results, first)
    for kind in ("data", "figures"):
        shutil.copytree(finished / "results" / kind, results / kind)
        for path in (results / kind).glob("*tiny*"):
            path.rename(path.with_name(path.name.replace("tiny", "demo")))
    for folder in (first, second):
        write_pictures(results, folder)
    names = {path.name for path in first.iterdir()}
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    committed = repository / "docs/pictures"
    shown = set(re.findall(r"docs/pictures/([\w.]+)", (repository / "README.md").read_text()))
    assert shown == {*names, "way.svg"}  # which is drawn by hand
    assert {path.name for path in committed.iterdir()} == {*shown, "motion.png"}  # by perf.motion, for docs/motion.md
    assert sum(path.stat().st_size for path in committed.iterdir()) < 400_000


def test_a_figure_is_drawn_again_from_its_data(finished, tmp_path):
    data, mine = finished / "results/figures/accuracy.parquet", tmp_path / "mine.pdf"
    command = [sys.executable, "-m", "fsar", "draw", "accuracy", str(data), str(mine)]
    subprocess.run(command, cwd=finished, check=True)
    assert mine.read_bytes() == (finished / "results/figures/accuracy.pdf").read_bytes()


def test_the_archive_is_enough_for_a_reviewer(finished, tmp_path):
    snakemake(finished, "archive", *TINY)
    archive = finished / "results/archive.zip"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    assert not list(tmp_path.rglob("*.mp4")) and not list(tmp_path.rglob("*.arrow"))
    for line in (tmp_path / "checksums.sha256").read_text().splitlines():
        assert hashlib.sha256((tmp_path / line[66:]).read_bytes()).hexdigest() == line[:64]
    predictions = read_predictions(tmp_path / "results/predictions/tiny/small-clip/otam/seed1.parquet", "otam", 3, 1)
    table = pd.read_csv(tmp_path / "results/table.csv").query("method == 'OTAM' and shot == 1")
    assert table["accuracy"].item() == round(100 * (predictions["label"] == predictions["predicted"]).mean(), 2)
    resolved = yaml.safe_load((tmp_path / "results/config.yaml").read_text())
    assert resolved["episodes"]["test"] == 10000 and resolved["benchmarks"]["tiny"]["episodes"]["test"] == 60
    for name in ("data/tiny/episodes/test-3way-1shot.parquet", "environment.txt", "README.md", "results/index.html"):
        assert (tmp_path / name).exists()
    before = archive.read_bytes()
    archive.unlink()
    snakemake(finished, "archive", *TINY)
    assert archive.read_bytes() == before


@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium to open the report with (Debian: apt-get install chromium)")
    return program


def test_the_report_opens_offline(finished, chromium, tmp_path):
    """In a browser without a network: no errors, the categories are there, tables and figures can be seen."""
    snakemake(finished, "--report", "results/report.html", *TINY)
    page = finished / "results/report.html"
    shutil.copy(page, tmp_path / "report.html")
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr",
    ]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--window-size=1400,900"]
    run = subprocess.run(
        [chromium, *flags, "--dump-dom", f"file://{tmp_path / 'report.html'}"],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    dom, console = run.stdout.decode(), run.stderr.decode(errors="replace")
    assert [line for line in console.splitlines() if "CONSOLE" in line and "error" in line.lower()] == []
    for category in ("Run", "Tables", "Comparisons", "Figures", "Data", "Models"):
        assert category in dom, category
    text = page.read_text()
    assert "confusion-tiny-small-clip" in text and "Few-shot action recognition" in text
    assert "https://cdn" not in text.lower()


def test_every_rule_logs_and_is_timed(finished):
    logs = {
        path.relative_to(finished / "logs").parts[0].removesuffix(".log") for path in finished.glob("logs/**/*.log")
    }
    times = {
        path.relative_to(finished / "benchmarks").parts[0].removesuffix(".tsv")
        for path in finished.glob("benchmarks/**/*.tsv")
    }
    assert logs == times and {"decode_frames", "train_model", "evaluate_model", "write_tables"} <= logs
    assert not list(finished.glob("results/checkpoints/**/*.pt"))


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in snakemake(finished, *TINY)


def test_touching_files_reruns_nothing(finished):
    for path in ("fsar/methods/blocks/otam.py", "data/tiny/manifest.parquet", "data/tiny/frames/shard-000.arrow"):
        (finished / path).touch()
    for script in finished.glob("workflow_scripts/*.py"):
        script.write_text(script.read_text() + "# a comment, and newer than anything that was made\n")
    assert nothing_to_do(finished, *TINY)


def test_another_shot_costs_only_evaluations(finished):
    arguments = overlay(finished, "more shots.yaml", run={"shots": [1, 2, 3]})
    assert rules_to_run(finished, *arguments) == {
        "draw_episodes", "evaluate_model", "write_tables", "write_layouts", "write_statistics", "draw_figure",
        "write_model_card", "write_index", "write_records", "all",
    }  # fmt: skip
    assert snakemake(finished, "--dry-run", *arguments).count("rule evaluate_model:") == 3  # each model


def test_a_change_of_the_matching_retrains_and_does_not_decode(finished):
    matching = finished / "fsar/methods/blocks/otam.py"
    before = matching.read_text()
    try:
        matching.write_text(f'"""Another sentence."""\n\n# and a comment\n{before}')
        assert nothing_to_do(finished, *TINY)
        matching.write_text(f"{before}\nchanged = True\n")
        rules = rules_to_run(finished, *TINY)
    finally:
        matching.write_text(before)
    assert {"train_model", "evaluate_model", "write_tables"} <= rules
    assert rules.isdisjoint({"render_videos", "train_small_clip", "write_manifest", "decode_frames", "draw_episodes"})
    assert nothing_to_do(finished, *TINY)  # the change is taken back


def test_twice_from_scratch_gives_the_same_bytes(finished, repository, tmp_path):
    again = copy_project(repository, tmp_path / "again")
    names = ["table.csv", "table.md", "records.json", "tables/main-3way.tex", "statistics/comparisons.csv"]
    names += [f"figures/{name}-tiny-small-clip.png" for name in ("episode", "embedding")]
    names += [f"figures/accuracy.{suffix}" for suffix in ("svg", "pdf", "png")]
    snakemake(again, *(f"results/{name}" for name in names), *TINY, cores=1)  # the number of cores decides nothing
    for name in names:
        assert (again / "results" / name).read_bytes() == (finished / "results" / name).read_bytes(), name
    videos = sorted(path.relative_to(again) for path in again.glob("data/tiny/videos/*/*.mp4"))
    assert len(videos) == 41
    assert all((again / path).read_bytes() == (finished / path).read_bytes() for path in videos)


def test_weights_from_elsewhere_are_tested_as_they_are(finished):
    given = finished / "given weights.safetensors"
    shutil.copy(finished / "results/models/tiny/small-clip/clip-fsar/shot1-seed1/model.safetensors", given)
    arguments = overlay(finished, "given.yaml", run={"methods": ["clip-fsar", "clip-fsar-text"], "shots": [1]})
    values = yaml.safe_load((finished / "given.yaml").read_text())
    values["benchmarks"]["tiny"]["trained"] = {"small-clip": {"clip-fsar": given.name}}
    (finished / "given.yaml").write_text(yaml.safe_dump(values))
    expected = pd.read_csv(finished / "results/table.csv").query("shot == 1").set_index("method")["accuracy"]
    plan = snakemake(finished, "--dry-run", *arguments)
    assert "rule train_model" not in plan and "rule write_model_card" not in plan
    before = (finished / "results").rename(finished / "kept results")
    try:
        snakemake(finished, "results/table.csv", *arguments)
        table = pd.read_csv(finished / "results/table.csv").set_index("method")
    finally:
        shutil.rmtree(finished / "results")
        before.rename(finished / "results")
    assert list(table["selection"]) == ["given", "given"] and table["seeds"].isna().all()
    assert table["accuracy"].equals(expected[table.index])
