"""Every command in the README, docs/ and the comments of configs is run as it is written, or as far as takes seconds.

`snakemake` as a dry run in a copy of the project, `make` as one here; benchmarks read their arguments, and no more.
A command that is none of these must be given a test here.
"""

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from fsar.cli.main import main, parser
from tests.helpers.commands import commands, of_markdown, words
from tests.helpers.dry_runs import dry_runs
from tests.helpers.workflow import copy_project, prepare_inputs
from tests.model.test_exchange import THEIRS
from tests.records.test_records import make_run
from tests.workflow.test_own_clips import first_commands

REPOSITORY = Path(__file__).resolve().parents[2]
# What stands in documents for something of the reader's.
PLACEHOLDERS = {
    "configs/….yaml": "configs/tiny.yaml",
    "SNAKEMAKE_OUTPUT_CACHE=/shared/cache": "SNAKEMAKE_OUTPUT_CACHE=.",
    "$(fsar workflow --path)": "Snakefile",
    "$(fsar workflow --path configs/methods.yaml)": "configs/methods.yaml",
}
COMMANDS = {
    tuple(PLACEHOLDERS.get(word, word) for word in command): files for command, files in commands(REPOSITORY).items()
}


def program(command: tuple[str, ...]) -> str:
    """Return the program of a command, with its sub-command for `fsar`, or the module of Python that it runs."""
    words = [word for word in command if word not in ("/usr/bin/time", "-v") and not re.match(r"[A-Z_]+=", word)]
    if words[:2] == ["python", "-m"]:
        return words[2]
    return " ".join(words[:2]) if words[0] == "fsar" else words[0]


def of(pattern: str) -> list[tuple[str, ...]]:
    return [command for command in COMMANDS if re.fullmatch(pattern, program(command))]


def test_every_command_has_its_test():
    tested = r"snakemake|make|pip|perf\.\w+|tests\.faults|tools\.platforms|fsar|fsar --help|fsar \w+"
    unknown = {" ".join(command): files for command, files in COMMANDS.items() if command not in of(tested)}
    assert not unknown, "tests/workflow/test_docs.py does not run these"
    assert len(of("snakemake")) > 15 and len(of("make")) > 2 and len(of(r"perf\.\w+")) > 8


def test_snakemake(tmp_path):
    folder = copy_project(REPOSITORY, tmp_path / "project")
    prepare_inputs(folder)
    (folder / "seeds.yaml").write_text("run: {seeds: [1, 2, 3, 4, 5]}\n")  # docs/scaling.md
    text = (REPOSITORY / "docs/clusters.md").read_text()
    profiles = re.findall(r"^```yaml\n(executor: .*?)^```", text, re.MULTILINE | re.DOTALL)
    for name, profile in zip(("mine", "gpus-only"), profiles, strict=True):
        (folder / "profiles" / name).mkdir()
        (folder / "profiles" / name / "config.yaml").write_text(profile)
    runs = [[w for w in command if w not in ("/usr/bin/time", "-v", "snakemake")] for command in of("snakemake")]
    for study in {run[run.index("--directory") + 1] for run in runs if "--directory" in run}:
        (folder / study).mkdir(parents=True)
        prepare_inputs(folder / study)
    runs.append(["--workflow-profile", "profiles/gpus-only"])
    for arguments, output in zip(runs, dry_runs(folder, runs, "timm"), strict=True):
        expected = next((said for option, said in SAYS.items() if option in arguments), "This was a dry-run")
        assert expected in output, (arguments, output[-2000:])
        assert names_cores(arguments, folder), f"{arguments} needs --cores"


# What Snakemake says of options beside which it makes no dry run; a report is of a run that has finished.
# Own methods are named before fsar is imported, as it is here: tests/test_own_methods.py plans that config.
SAYS = {
    "--unlock": "Unlock",
    "--report": "marked for report but does not exist",
    "configs/motion_clips.yaml": "which FSAR_METHODS must name before fsar is imported",
}
if find_spec("transformers") is None:  # and what it says where encoders of video cannot be run
    SAYS["configs/video.yaml"] = "needs a package that is not installed"


def names_cores(arguments: list[str], folder: Path) -> bool:
    """Tell whether Snakemake would start without a dry run: it wants a number of cores, or of jobs."""
    if {"-n", "--unlock", "--report", "--cores"} & set(arguments):
        return True
    named = [Path(arguments[i + 1]) for i, word in enumerate(arguments) if word == "--workflow-profile"]
    return any("jobs" in yaml.safe_load((folder / profile / "config.yaml").read_text()) for profile in named)


@pytest.mark.parametrize("command", of("make"), ids=" ".join)
def test_make(command):
    run = subprocess.run([*command, "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_benchmarks(capsys):
    """Each says how it is used, and reads the arguments that documents give it."""
    names = [path.stem for path in sorted((REPOSITORY / "perf").glob("*.py")) if "def main(" in path.read_text()]
    benchmarks = {f"perf.{name}": importlib.import_module(f"perf.{name}") for name in names}
    for name, benchmark in benchmarks.items():
        with pytest.raises(SystemExit, match="0"):
            benchmark.main(["--help"])
        assert f"usage: python -m {name} " in capsys.readouterr().out
    for command in of(r"perf\.\w+"):
        benchmarks[program(command)].parser().parse_args(command[3:])
    named = "".join(path.read_text() for path in [REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md")])
    assert [name for name in benchmarks if name not in named] == [], "no document rests on these"


def test_faults():
    """It is named without an argument; what it prints at the end of an hour's work is tested by itself."""
    assert of(r"tests\.faults") == [("python", "-m", "tests.faults")]
    help_of_it = [sys.executable, "-m", "tests.faults", "--help"]
    assert "usage" in subprocess.run(help_of_it, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def test_what_is_installed_by_hand_is_an_extra():
    """A package that a user may add is one that this project names."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = {
        name: {re.match(r"[\w-]+", entry)[0] for entry in of} for name, of in project["optional-dependencies"].items()
    }
    for command in of("pip"):
        assert command[:2] == ("pip", "install")
        for word in command[2:]:
            chosen = re.fullmatch(r"\.\[([\w,]+)\]", word)
            named = re.match(r"[\w-]*", word)[0] in set().union(*extras.values())
            assert named or (chosen and set(chosen[1].split(",")) <= set(extras)) or word == ".", command


def test_commands_of_own_clips():
    """Their arguments are read, but for a sub-command that is only named; those of the page's first block are run."""
    commands = of("fsar (predict|check|spot|models|export)")
    assert len(commands) > 8
    for command in commands:
        _, name, *arguments = [word for word in command if not re.match("[A-Z_]+=", word)]
        with nullcontext() if arguments else pytest.raises(SystemExit, match="0"):
            assert parser().parse_args([name, *(arguments or ["--help"])]).run.__module__ == f"fsar.cli.{name}"
    run = [words(line) for line in first_commands(REPOSITORY)]
    assert [command for command in commands if "efficientnet-lite0" in command and command not in run] == []


def test_help(capsys):
    [command] = of("fsar --help")
    with pytest.raises(SystemExit, match="0"):
        main(command[1:])
    assert "label clips by examples" in capsys.readouterr().out
    assert of("fsar") == [("python", "-m", "fsar")]  # as tests/cli/test_cli.py runs it


def in_folder(command: tuple[str, ...], folder: Path) -> None:
    """Run a command `fsar` in a folder."""
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-m", *command], cwd=folder, env=variables, check=True)


def test_exchange(tmp_path):
    torch.save({"model_state": {name: torch.zeros(shape) for name, shape in THEIRS.items()}}, tmp_path / "their.pth")
    made = [command[-1] for command in of("fsar exchange")]
    for command in of("fsar exchange"):
        in_folder(command, tmp_path)
    assert len(made) == 2 and all((tmp_path / name).is_file() for name in made)


def test_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path)
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        shutil.copy("results/records.json", name)
    assert {command[2] for command in of("fsar records")} == {"check", "merge", "schema"}
    for command in of("fsar records"):
        in_folder(command, tmp_path)
    assert len(pd.read_csv("common/table.csv")) == 1


def test_drawing_a_figure_again(tmp_path):
    [command] = of("fsar draw")
    row = {
        "benchmark": "hmdb51",
        "backbone": "RN50",
        "method": "OTAM",
        "way": 5,
        "ways": "5-way",
        "shot": 1,
        "accuracy": 50.0,
    }
    (tmp_path / command[-2]).parent.mkdir(parents=True)
    pd.DataFrame([row | {"interval": 1.0, "over_videos": 2.0}]).to_parquet(tmp_path / command[-2])
    in_folder(command, tmp_path)
    assert (tmp_path / command[-1]).read_bytes().startswith(b"%PDF")


def test_how_commands_are_found():
    text = "`make table`, not `table`, `key: value`,\n`python -m\nperf.x A`\n```bash\nls -l  # dry\n\nls\n```\n"
    found = [words(line) for line in of_markdown(text + "```yaml\nls: x\n```\n")]
    assert found == [("ls", "-l"), ("ls",), ("make", "table"), ("python", "-m", "perf.x", "A")]
