"""Running the workflow as a user does, in copies of the project."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.helpers.dry_runs import VARIABLES, Started

PROJECT = ["Snakefile", "config.yaml", "configs", "envs", "fsar", "profiles", "report", "rules", "workflow_scripts"]
PROGRAM = Path(sys.executable).with_name("snakemake")


def command(*arguments: str, cores: int = 2, program: Path = PROGRAM) -> list[str]:
    return [str(program), "--cores", str(cores), *arguments]


def snakemake(
    folder: Path,
    *arguments: str,
    ok: bool = True,
    cores: int = 2,
    program: Path = PROGRAM,
    anew: bool = False,
    project: Path | None = None,
    **environment: str,
) -> str:
    """Run Snakemake in a folder and return what it printed.

    In a copy of the project, or with the one whose code it runs, it goes on from a process that has imported Snakemake
    and the package already, unless it is to start anew, as a user starts it.
    """
    project = project or folder
    if (project / "fsar").is_dir() and program == PROGRAM and not anew:
        variables = (f"{name}={value}" for name, value in environment.items())
        status, output = Started.of(project).run(*variables, "--cores", str(cores), *arguments, here=folder)
    else:
        run = subprocess.run(
            command(*arguments, cores=cores, program=program),
            cwd=folder,
            env={**os.environ, **VARIABLES, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        status, output = run.returncode, run.stdout.decode()
    assert (status == 0) is ok, output
    return output


def start_snakemake(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start Snakemake in a folder, as a group of processes that can be stopped."""
    return subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env={**os.environ, **VARIABLES},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Where the tests are started in the background, Ctrl-C is ignored by what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def rules_to_run(folder: Path, *arguments: str, **how: Any) -> set[str]:
    output = snakemake(folder, "--dry-run", *arguments, **how)
    return set(re.findall(r"^ *(?:local)?rule (\w+):", output, re.MULTILINE))


def nothing_to_do(folder: Path, *arguments: str, **how: Any) -> bool:
    return "Nothing to be done" in snakemake(folder, "--dry-run", *arguments, **how)


def copy_project(repository: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in PROJECT:
        source = repository / name
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy2(source, folder)
    return folder


def copy_made(run: Path, folder: Path, *names: str) -> Path:
    """Copy what a finished run has made into a copy of the project, with what Snakemake knows of it."""
    for name in (*names, ".snakemake/metadata"):
        shutil.copytree(run / name, folder / name, copy_function=shutil.copy2)
    return folder


TINY = ["--configfile", "configs/tiny.yaml"]
TABLE = "results/table.csv"  # alone, where figures and cards are not the question


def overlay(folder: Path, name: str, **changes) -> list[str]:
    """Write configs/tiny.yaml with some top-level sections merged over it, as an overlay."""
    values = yaml.safe_load((folder / "configs/tiny.yaml").read_text())
    for section, value in changes.items():
        values[section] = {**values.get(section, {}), **value}
    (folder / name).write_text(yaml.safe_dump(values))
    return ["--configfile", name]


def prepare_inputs(folder: Path) -> None:
    """Write what configs expect a user to bring: a list of videos, files of Something-Something V2 and Diving48."""
    (folder / "my_videos").mkdir()
    rows = [(f"{s} {c} {i}.mp4", f"{s} {c}", s) for s in ("train", "val", "test") for c in range(5) for i in range(10)]
    write_listing(folder / "my_videos/videos.csv", rows)
    write_listing(
        folder / "my_videos/all.csv", [(path, label, split.replace("test", "train")) for path, label, split in rows]
    )
    for deal in range(1, 6):
        write_listing(folder / f"my_videos/deal-{deal}.csv", [row for row in rows if row[2] == "test"])
    registered = folder / "data/registered/ssv2"
    (registered / "labels").mkdir(parents=True)
    (registered / "20bn-something-something-v2-00").touch()
    for name in ("train", "validation"):
        (registered / f"labels/something-something-v2-{name}.json").touch()
    diving = folder / "data/registered/diving48"
    diving.mkdir(parents=True)
    (diving / "diving48_v1.csv").write_text("video,class_id\na_dive_00000,7\n")
    (diving / "diving48_classes.csv").write_text("class_id,takeoff,somersaults,twists,position\n")
    (diving / "a_dive_00000.mp4").touch()


def write_listing(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "class", "split"), *rows])
    return path
