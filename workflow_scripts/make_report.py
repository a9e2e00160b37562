"""Have Snakemake write its report of the finished run."""

from pathlib import Path

from fsar.job import logged
from fsar.results.report import make_report

with logged(snakemake.log[0]):
    params = snakemake.params
    make_report(Path(params.snakefile), [Path(path) for path in params.configfiles], Path(snakemake.output.report))
