"""Render one part of the demo benchmark's videos."""

from pathlib import Path

from fsar.config import DemoSource, load
from fsar.job import logged
from fsar.sources.demo.videos import render_part

with logged(snakemake.log[0]):
    config = load(snakemake.config)
    source = config.benchmarks[snakemake.wildcards.benchmark].source
    render_part(
        DemoSource(**source.decisive("render_videos")),
        config.seed,
        int(snakemake.wildcards.part),
        Path(snakemake.output.videos),
        Path(snakemake.output.listing),
    )
