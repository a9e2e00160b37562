"""Draw accuracy by method and shot."""

from pathlib import Path

from fsar.job import logged
from fsar.results.figures import accuracy_figure

with logged(snakemake.log[0]):
    accuracy_figure(Path(snakemake.input.table), [Path(path) for path in snakemake.output])
