"""Fetch a share of the Kinetics archives, and keep the listed videos of them."""

from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.sources.download import Patience
from fsar.sources.kinetics import archive_urls, fetch_part
from fsar.sources.places import places_of
from fsar.sources.split_lists import read_split_lists

with logged(snakemake.log[0]):
    params, sources = snakemake.params, load(snakemake.config).sources
    urls = archive_urls([Path(path) for path in snakemake.input.archives])
    fetch_part(
        urls[int(snakemake.wildcards.part) :: params.parts.value],
        read_split_lists([Path(path) for path in snakemake.input.lists]),
        Path(snakemake.output.inventory).parent,
        Path(snakemake.output.inventory),
        places_of(sources, "kinetics"),
        Patience.of(sources),
    )
