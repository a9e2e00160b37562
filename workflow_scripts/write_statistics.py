"""Write paired comparisons and accuracies by class."""

from pathlib import Path

from fsar.job import logged
from fsar.results.comparisons import write_statistics

with logged(snakemake.log[0]):
    write_statistics(
        snakemake.params.settings,
        Path(snakemake.output.comparisons),
        Path(snakemake.output.classes),
    )
