"""Write the records of the run."""

from pathlib import Path

from fsar.job import logged
from fsar.records.write import write_records

with logged(snakemake.log[0]):
    write_records(
        snakemake.params.settings,
        snakemake.params.facts,
        Path(snakemake.input.table),
        Path(snakemake.output.records),
    )
