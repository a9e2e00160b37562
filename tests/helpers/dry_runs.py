"""Runs of a folder: Snakemake is imported once and forked for each, and so are the scripts of their jobs.

    python -m tests.helpers.dry_runs FOLDER [MODULE …]

imports these modules, too. It reads where to run and the arguments, a JSON list in a line, and answers with a line of
the status and what was printed, until there are no more. Variables of the environment may stand before the arguments.
"""

import atexit
import gc
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

from tests.helpers import started_scripts

REPOSITORY = Path(__file__).resolve().parents[2]
# What every run of the workflow has set: no live progress bars, and no GPU, whose sums are not those of another run.
VARIABLES = {"CI": "true", "CUDA_VISIBLE_DEVICES": ""}


class Started:
    """A process that makes the runs of a folder, as long as its code is what it was when the process started."""

    current: "Started | None" = None

    def __init__(self, folder: Path, *modules: str):
        self.folder, self.code = folder, _code(folder)
        command = [sys.executable, "-m", "tests.helpers.dry_runs", str(folder), *modules]
        variables = {**os.environ, **VARIABLES}
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        atexit.register(self.end)

    @classmethod
    def of(cls, folder: Path, *modules: str) -> "Started":
        """Return the one that runs already, or start one, which imports modules, and end that of another folder."""
        if cls.current is None or (cls.current.folder, cls.current.code) != (folder, _code(folder)):
            if cls.current is not None:
                cls.current.end()
            cls.current = cls(folder, *modules)
        return cls.current

    def end(self) -> None:
        """End the process, if it has not ended."""
        if self.process.poll() is None:
            self.process.communicate()

    def run(self, *arguments: str, here: Path | None = None) -> tuple[int, str]:
        """Return the status of `snakemake` with these arguments, in the folder or another one, and what it printed."""
        self.process.stdin.write(json.dumps([str(here or self.folder), *arguments]).encode() + b"\n")
        self.process.stdin.flush()
        status, printed = json.loads(self.process.stdout.readline())
        return status, printed


def _code(folder: Path) -> dict[Path, int]:
    """Return the files of the code, which such a process has imported or read, each with its time."""
    files = [path for part in ("fsar", "workflow_scripts") for path in (folder / part).rglob("*.*")]
    return {path: path.stat().st_mtime_ns for path in files if path.suffix != ".pyc"}


def dry_runs(folder: Path, runs: list[list[str]], *modules: str) -> list[str]:
    """Return what `snakemake --dry-run` prints with each of these arguments; modules that several import are named."""
    started = Started.of(folder, *modules)
    found = []
    for arguments in runs:
        variables = [word for word in arguments if re.match(r"[A-Z_]+=", word)]
        found.append(started.run(*variables, "--cores", "2", "--dry-run", *arguments[len(variables) :])[1])
    return found


def planned(output: str) -> dict[str, set[str]]:
    """Return the rules that a dry run would run, each with the reasons that are its own.

    A rule that runs only because another one does has none.
    """
    found: dict[str, set[str]] = {}
    _, *parts = re.split(r"^ *(?:local)?rule (\w+):$", output, flags=re.MULTILINE)
    for rule, text in zip(parts[::2], parts[1::2], strict=True):
        reasons = re.search(r"^ *reason: (.*)$", text, re.MULTILINE)
        own = [] if reasons is None else re.split(r"; (?=[A-Z])", reasons[1])
        later = ("Input files updated by another job", "Rules with neither input nor output")
        found.setdefault(rule, set()).update(reason for reason in own if not reason.startswith(later))
    return found


def prepare(*modules: str) -> None:
    """Import what Snakemake and the rules do, and read the code, once for all; a run finds it as it is."""
    from snakemake import common, rules
    from snakemake.cli import get_argument_parser

    get_argument_parser()  # with all plugins
    # What it asks of the same functions again and again, a third of the time of a large plan.
    common.get_function_params = rules.get_function_params = cache(common.get_function_params)
    text = "\n".join(path.read_text() for path in sorted(Path("rules").glob("*.smk")))
    own = re.findall(r"^from (fsar[\w.]*) import", text, re.MULTILINE)
    for module in ("jsonschema", "nbformat", "snakemake.storage", *modules, *own):
        import_module(module)
    code = import_module("fsar.plan.code")
    code.code_checksums(*code.PACKAGE.parent.glob("workflow_scripts/*.py"), *code.PACKAGE.rglob("*.py"))
    gc.freeze()


def run(arguments: list[str], scripts: str) -> None:
    """Run Snakemake in this process, with the scripts of its jobs run by who listens at a socket, and end it."""
    from snakemake.cli import main as snakemake
    from snakemake.script import PythonScript

    gc.disable()  # the process ends soon
    own = PythonScript._execute_cmd
    start = f"{sys.executable} -I -S {shlex.quote(started_scripts.__file__)} {scripts} {{fname:q}}"
    PythonScript._execute_cmd = lambda script, command, **names: own(script, start, **names)
    variables = dict(word.split("=", 1) for word in arguments if re.match(r"[A-Z_]+=", word))
    os.environ.update(variables)
    status = 1
    try:
        snakemake(arguments[len(variables) :])
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def fork(function: Callable[..., None], *arguments: object) -> int:
    """Call a function in a process of its own, with nothing to read, and return the number of the process."""
    if (child := os.fork()) == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what is still to be run is not for this one
        function(*arguments)
        os._exit(0)
    return child


def main() -> None:
    folder, *modules = sys.argv[1:]
    sys.path.insert(0, folder)
    os.chdir(folder)
    prepare(*modules)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        scripts = f"scripts-of-tests-{os.getpid()}"
        listening.bind(f"\0{scripts}")  # a name of Linux, of which no file is left
        listening.listen()
        ends, held = os.pipe()
        server = fork(serve, listening, ends, held)
        for line in sys.stdin:
            with tempfile.TemporaryFile() as file:
                _, status = os.waitpid(fork(to_file, file.fileno(), json.loads(line), scripts), 0)
                file.seek(0)
                print(json.dumps([status, file.read().decode()]), flush=True)
        os.close(held)
        os.waitpid(server, 0)


def serve(listening: socket.socket, ends: int, held: int) -> None:
    """Run scripts until the process that started this one has closed its end."""
    os.close(held)
    started_scripts.serve(listening, ends)


def to_file(file: int, asked: list[str], scripts: str) -> None:
    """Run Snakemake in a folder, with what it prints going into a file."""
    here, *arguments = asked
    os.chdir(here)
    os.dup2(file, 1)
    os.dup2(file, 2)
    run(arguments, scripts)


if __name__ == "__main__":
    main()
