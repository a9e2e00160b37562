"""Put everything that a reviewer needs into one file."""

from pathlib import Path

from fsar.job import logged
from fsar.results.archive import write_archive

with logged(snakemake.log[0]):
    code = set(snakemake.input.code)
    write_archive([Path(path) for path in snakemake.input if path not in code], Path(snakemake.output.archive))
