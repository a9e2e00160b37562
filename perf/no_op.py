"""How long Snakemake takes to find that there is nothing to be done: for the paper's config, and for the demo's.

    python -m perf.no_op

Nothing is computed. In a copy of the project every output of the plan is made as an empty file and marked as finished
(`snakemake --touch`), and then the whole run is started again.
"""

import re
import tempfile
import time
from pathlib import Path

from tests.workflow import copy_project, prepare_inputs, snakemake

ROUNDS = 3


def measure(folder: Path, arguments: list[str]) -> tuple[int, list[float]]:
    """Return the number of jobs, and the seconds of each run that has nothing to do."""
    plan = snakemake(folder, "--dry-run", *arguments)
    jobs = len(re.findall(r"^ +jobid: ", plan, re.MULTILINE))
    for line in re.findall(r"^ +(?:input|output): (.*)$", plan, re.MULTILINE):
        for name in line.split(", "):
            path = folder / re.sub(r" \(.*\)$", "", name)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    snakemake(folder, "--touch", *arguments)
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        output = snakemake(folder, *arguments)
        taken.append(time.perf_counter() - started)
        assert "Nothing to be done" in output, output[-2000:]
    return jobs, taken


def main() -> None:
    """Print a row per config."""
    repository = Path(__file__).parents[1]
    print("| config | jobs | nothing to be done after, s |")
    print("|---|---|---|")
    for name, arguments in {"demo": [], "paper": ["--configfile", "configs/paper.yaml"]}.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = copy_project(repository, Path(temporary) / "project")
            prepare_inputs(folder)
            jobs, taken = measure(folder, arguments)
            print(f"| {name} | {jobs} | {', '.join(f'{seconds:.1f}' for seconds in sorted(taken))} |", flush=True)


if __name__ == "__main__":
    main()
