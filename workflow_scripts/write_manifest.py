"""Turn a benchmark's lists of videos into its manifest."""

from pathlib import Path

from fsar.benchmarks.manifest import write_manifest
from fsar.job import logged

with logged(snakemake.log[0]):
    write_manifest([Path(listing) for listing in snakemake.input.listings], Path(snakemake.output.manifest))
