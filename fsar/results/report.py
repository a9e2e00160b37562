"""Snakemake's report, made from within a run."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fsar.errors import UserError
from fsar.files import atomic


def make_report(snakefile: Path, configfiles: Sequence[Path], path: Path) -> None:
    """Write the report of the target `all` as one HTML file.

    Args:
        snakefile: of the workflow.
        configfiles: the overlays it was run with.
        path: HTML file to write.

    Raises:
        UserError: Snakemake could not make it, with what it said.
    """
    with atomic(path) as temporary:
        written = temporary.with_suffix(".html")  # Snakemake goes by the suffix
        command = [sys.executable, "-m", "snakemake", "all", "--snakefile", str(snakefile), "--report", str(written)]
        # The run that asks for the report holds the lock, and nothing is written but the report.
        command += ["--nolock", *(["--configfile", *map(str, configfiles)] if configfiles else [])]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode or not written.is_file():
            raise UserError(f"Snakemake could not make the report:\n{run.stdout.decode(errors='replace')[-3000:]}")
        written.replace(temporary)
