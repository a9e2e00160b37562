"""The lowest versions that pyproject.toml states, in an environment of their own: the tiny workflow must run with them.

    python -m tests.lowest_versions [FOLDER]

It needs a network and 7 GB in the folder (lowest-versions/ here if none is named), which stays for the next time.
"""

import subprocess
import sys
from pathlib import Path

from tests.helpers.workflow import TINY, copy_project, snakemake

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = "3.11"  # the lowest, which has wheels of all of them


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "lowest-versions").absolute()
    installer, lowest = folder / "uv", folder / "lowest"
    for place in (installer, lowest):
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run([installer / "bin/pip", "install", "--quiet", "uv"], check=True)
    uv, versions = installer / "bin/uv", folder / "versions.txt"
    chosen = [
        "--resolution",
        "lowest-direct",
        "--python-version",
        PYTHON,
        "--no-header",
        "--extra",
        "workflow",
        "--output-file",
        versions,
    ]
    subprocess.run([uv, "pip", "compile", "--quiet", *chosen, REPOSITORY / "pyproject.toml"], check=True)
    subprocess.run([uv, "pip", "sync", "--quiet", "--python", lowest / "bin/python", versions], check=True)
    number = sum(1 for path in folder.glob("project*"))
    project = copy_project(REPOSITORY, folder / f"project{number}")
    print(snakemake(project, *TINY, program=lowest / "bin/snakemake"))
    table = (project / "results/table.csv").read_text()
    assert len(table.splitlines()) > 1, table
    print(f"The lowest versions run the tiny workflow; they are in {versions}.")


if __name__ == "__main__":
    main()
