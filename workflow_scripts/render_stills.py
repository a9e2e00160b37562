"""Render the still pictures and captions the demo's small CLIP learns from."""

from pathlib import Path

from fsar.job import logged
from fsar.sources.demo.stills import render_stills

with logged(snakemake.log[0]):
    rendered = snakemake.params.rendered
    render_stills(rendered["stills"], rendered["size"], rendered["seed"], Path(snakemake.output.stills))
