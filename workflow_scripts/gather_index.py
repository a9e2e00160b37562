"""Gather the indexes of all shards."""

from pathlib import Path

from fsar.job import logged
from fsar.videos.store_index import gather_index

with logged(snakemake.log[0]):
    gather_index(
        Path(snakemake.input.manifest),
        [Path(index) for index in snakemake.input.indexes],
        snakemake.params.max_failed.value,
        Path(snakemake.output.index),
    )
