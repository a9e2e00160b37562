"""Fetch a share of the Kinetics archives, and keep the listed videos of them."""

from pathlib import Path

from fsar.benchmarks.download import Patience
from fsar.benchmarks.kinetics import archive_urls, fetch_part
from fsar.benchmarks.split_lists import read_split_lists
from fsar.job import logged

with logged(snakemake.log[0]):
    params = snakemake.params
    urls = archive_urls([Path(path) for path in snakemake.input.archives])
    fetch_part(
        urls[int(snakemake.wildcards.part) :: params.parts],
        read_split_lists([Path(path) for path in snakemake.input.lists]),
        Path(snakemake.output.inventory).parent,
        Path(snakemake.output.inventory),
        Patience(**params.patience),
    )
