"""Faults put in by hand, one at a time, in a copy of the project: which of them do the fast tests notice?

    python -m tests.faults                       # all of them, 10 to 20 minutes on one core
    python -m tests.faults --only training       # those of files with this in their path
    python -m tests.faults --jobs 2

Prints a table, and ends with status 1 if fewer than nine of ten are noticed. No part of `make test`.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from queue import SimpleQueue

from tests.fault_table import FAULTS, Fault

REPOSITORY = Path(__file__).resolve().parents[1]
# Far above what any of these tests takes on any machine: a fault may make them go on for ever.
TIME_LIMIT = 3600  # seconds
WANTED = 0.9
FAILED, INTERRUPTED = 1, 2  # pytest's status where a test failed, and where its files could not be read


@contextmanager
def copies(count: int) -> Iterator[SimpleQueue[Path]]:
    """Yield copies of the project's files, each in a folder of its own: nothing beside the checkout is found."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        free: SimpleQueue[Path] = SimpleQueue()
        for number in range(count):
            copy = Path(folder, str(number), "project")
            for name in filter(None, names):
                source, target = REPOSITORY / name, copy / name
                if source.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)
            free.put(copy)
        yield free


def run_tests(project: Path, tests: str) -> int:
    """Run tests of a copy, named by files beneath tests/, up to the first that fails; returns pytest's status."""
    named = [f"tests/{word}" if word.endswith(".py") else word for word in shlex.split(tests)]
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *named]
    variables = {**os.environ, "PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(command, cwd=project, env=variables, capture_output=True, timeout=TIME_LIMIT).returncode
    except subprocess.TimeoutExpired:
        return FAILED


def fails_without_fault(tests: str, free: SimpleQueue[Path]) -> bool:
    """Run tests in a free copy as it is."""
    project = free.get()
    try:
        return run_tests(project, tests) != 0
    finally:
        free.put(project)


def is_noticed(fault: Fault, free: SimpleQueue[Path]) -> bool:
    """Put a fault into a free copy, run the tests that should notice it, and take it out again.

    Raises:
        ValueError: the place is not there, or there several times; the fault would make no Python; no test ran.
    """
    project = free.get()
    path = project / fault.file
    before = path.read_text(encoding="utf-8")
    try:
        if before.count(fault.old) != 1:
            raise ValueError(f"{fault.file} has {before.count(fault.old)} places with {fault.old!r}, and not one")
        after = before.replace(fault.old, fault.new)
        if path.suffix == ".py":
            compile(after, str(path), "exec")
        path.write_text(after, encoding="utf-8")
        status = run_tests(project, fault.tests)
    finally:
        path.write_text(before, encoding="utf-8")
        free.put(project)
    if status not in (0, FAILED, INTERRUPTED):
        raise ValueError(f"pytest {fault.tests} ended with status {status}: it ran no test")
    return status != 0


def table(faults: Sequence[Fault], found: Sequence[bool]) -> str:
    """Return a row for each fault, as Markdown."""
    rows = ["| noticed | file | fault |", "|---|---|---|"]
    for fault, noticed in zip(faults, found, strict=True):
        change = f"{' '.join(fault.old.split())} → {' '.join(fault.new.split()) or 'gone'}".replace("|", "\\|")
        rows.append(f"| {'yes' if noticed else '**no**'} | {fault.file} | `{change}` |")
    return "\n".join(rows)


def main(arguments: Sequence[str]) -> int:
    """Put in every fault that is asked for, print the table, and return the status of the program."""
    parser = argparse.ArgumentParser(description="Which faults, put in by hand, do the tests notice?")
    parser.add_argument("--only", default="", help="of files with this in their path")
    parser.add_argument("--trust", action="store_true", help="that the tests pass without a fault")
    parser.add_argument("--jobs", type=int, default=1, help="copies that are tested at once")
    asked = parser.parse_args(arguments)
    faults = [fault for fault in FAULTS if asked.only in fault.file]
    with copies(asked.jobs) as free, ThreadPoolExecutor(asked.jobs) as pool:
        wanted = [] if asked.trust else list(dict.fromkeys(fault.tests for fault in faults))
        for tests, fails in zip(wanted, pool.map(fails_without_fault, wanted, repeat(free)), strict=True):
            if fails:
                print(f"Without any fault `pytest {tests}` fails in a copy of the project: mend that first.")
                return 2
        print(f"{len(wanted)} sets of tests pass without a fault.", flush=True)
        found = []
        for fault, noticed in zip(faults, pool.map(is_noticed, faults, repeat(free)), strict=True):
            found.append(noticed)
            print("." if noticed else f"\nnot noticed: {fault.file}: {fault.old!r}\n", end="", flush=True)
    share = sum(found) / len(found)
    print(f"\n\n{table(faults, found)}\n\n{sum(found)} of {len(found)} faults are noticed ({100 * share:.0f} %).")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
