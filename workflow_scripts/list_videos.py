"""Put a published benchmark's split lists and the files there are together to its list of videos."""

from pathlib import Path

from fsar.benchmarks.published import list_videos
from fsar.benchmarks.something import templates
from fsar.benchmarks.split_lists import read_split_lists
from fsar.job import logged

with logged(snakemake.log[0]):
    source = snakemake.params.source
    list_videos(
        source["kind"],
        read_split_lists([Path(path) for path in snakemake.input.lists]),
        [Path(path) for path in snakemake.input.inventories],
        templates(Path(path) for path in snakemake.input.annotations),
        source["prompts"],
        snakemake.params.needed,
        Path(snakemake.output.listing),
        Path(snakemake.output.missing),
    )
