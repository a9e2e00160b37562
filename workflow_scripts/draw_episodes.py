"""Draw the episodes of one split, way and shot."""

from pathlib import Path

from fsar.episodes.stored import draw_episodes
from fsar.job import logged

with logged(snakemake.log[0]):
    draw_episodes(
        Path(snakemake.input.manifest),
        Path(snakemake.input.index),
        snakemake.wildcards.split,
        int(snakemake.wildcards.way),
        int(snakemake.wildcards.shot),
        snakemake.params.drawn["queries"],
        snakemake.params.drawn["episodes"],
        snakemake.params.drawn["seed"],
        Path(snakemake.output.episodes),
        snakemake.params.drawn.get("without", ()),
        snakemake.params.drawn.get("unknown", 0),
        snakemake.params.drawn.get("in_all", 0),
    )
