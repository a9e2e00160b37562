"""Put a published benchmark's split lists and the files there are together to its list of videos."""

from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.sources.published import list_videos, read_entries

with logged(snakemake.log[0]):
    # What episodes need is no parameter: another shot lists the same videos.
    needed = load(snakemake.config).videos_needed(snakemake.wildcards.benchmark)
    list_videos(
        snakemake.params.kind,
        read_entries(snakemake.params.kind, [Path(path) for path in snakemake.input.lists]),
        Path(snakemake.input.inventory),
        [Path(path) for path in snakemake.input.annotations],
        snakemake.params.prompts,
        needed,
        Path(snakemake.output.listing),
        Path(snakemake.output.missing),
    )
