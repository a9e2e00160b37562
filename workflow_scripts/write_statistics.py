"""Write paired comparisons and accuracies by class."""

from pathlib import Path

from fsar.job import logged
from fsar.results.comparisons import write_statistics
from fsar.results.table import Setting

with logged(snakemake.log[0]):
    write_statistics(
        [Setting(**setting) for setting in snakemake.params.settings],
        Path(snakemake.output.comparisons),
        Path(snakemake.output.classes),
    )
