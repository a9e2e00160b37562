"""Write the comparison table."""

from pathlib import Path

from fsar.job import logged
from fsar.results.table import write_tables

with logged(snakemake.log[0]):
    write_tables(
        snakemake.params.settings,
        Path(snakemake.output.csv),
        Path(snakemake.output.markdown),
    )
