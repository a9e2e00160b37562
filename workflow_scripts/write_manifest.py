"""Turn a benchmark's lists of videos into its manifest."""

from pathlib import Path

from fsar.config import CsvSource, load
from fsar.job import logged
from fsar.sources.manifest import write_manifest

with logged(snakemake.log[0]):
    # A user's own list is to be mended; what is odd in a published one is part of the benchmark.
    source = load(snakemake.config).benchmarks[snakemake.wildcards.benchmark].source
    files = "refuse" if isinstance(source, CsvSource) else "warn"
    write_manifest([Path(listing) for listing in snakemake.input.listings], Path(snakemake.output.manifest), files)
