"""Unpack the listed videos of UCF101 or HMDB51."""

from pathlib import Path

from fsar.job import logged
from fsar.sources.split_lists import read_split_lists
from fsar.sources.unpack import unpack

with logged(snakemake.log[0]):
    unpack(
        Path(snakemake.input.archive),
        read_split_lists([Path(path) for path in snakemake.input.lists]),
        Path(snakemake.output.videos),
        Path(snakemake.output.inventory),
    )
