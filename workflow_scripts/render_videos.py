"""Render one part of the demo benchmark's videos."""

from pathlib import Path

from fsar.config import DemoSource
from fsar.job import logged
from fsar.sources.demo.videos import render_part

with logged(snakemake.log[0]):
    render_part(
        DemoSource(**snakemake.params.source),
        snakemake.params.seed,
        int(snakemake.wildcards.part),
        Path(snakemake.output.videos),
        Path(snakemake.output.listing),
    )
