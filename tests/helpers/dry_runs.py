"""Many dry runs of one folder: Snakemake is imported once and forked for each, which spares most of their time.

    python -m tests.helpers.dry_runs FOLDER < arguments.json

reads a list of lists of arguments and prints, for each, what Snakemake printed, as a JSON list. Variables of the
environment may stand before the arguments.
"""

import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from tests.helpers.workflow import VARIABLES


def dry_runs(folder: Path, runs: list[list[str]]) -> list[str]:
    """Return what `snakemake --dry-run` prints with each of these arguments."""
    command = [sys.executable, "-m", "tests.helpers.dry_runs", str(folder)]
    repository = Path(__file__).resolve().parents[2]
    run = subprocess.run(command, cwd=repository, input=json.dumps(runs).encode(), stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


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


def main() -> None:
    folder = Path(sys.argv[1])
    runs = json.load(sys.stdin)
    os.environ.update(VARIABLES)
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    from snakemake.cli import main as snakemake

    # What the rules import, once for all; a run finds it as it is.
    rules = "\n".join(path.read_text() for path in sorted(Path("rules").glob("*.smk")))
    for module in re.findall(r"^from (fsar[\w.]*) import", rules, re.MULTILINE):
        import_module(module)
    gc.freeze()

    outputs = []
    for arguments in runs:
        with tempfile.TemporaryFile() as file:
            if (child := os.fork()) == 0:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
                variables = dict(word.split("=", 1) for word in arguments if re.match(r"[A-Z_]+=", word))
                os.environ.update(variables)
                snakemake(["--cores", "2", "--dry-run", "--nolock", *arguments[len(variables) :]])
                os._exit(0)
            os.waitpid(child, 0)
            file.seek(0)
            outputs.append(file.read().decode())
    print(json.dumps(outputs))


if __name__ == "__main__":
    main()
