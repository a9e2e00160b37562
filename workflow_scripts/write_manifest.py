"""Turn a benchmark's lists of videos into its manifest."""

from pathlib import Path

from fsar.job import logged
from fsar.sources.manifest import write_manifest

with logged(snakemake.log[0]):
    write_manifest([Path(listing) for listing in snakemake.input.listings], Path(snakemake.output.manifest))
