"""Put everything that a reviewer needs into one file."""

from pathlib import Path

from fsar.job import logged
from fsar.results.archive import write_archive

with logged(snakemake.log[0]):
    write_archive([Path(path) for path in snakemake.input], Path(snakemake.output.archive))
