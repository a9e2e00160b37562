"""Render the still pictures and captions the demo's small CLIP learns from."""

from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.sources.demo.stills import render_stills

SIZE = 64  # pixels: what the small CLIP looks at

with logged(snakemake.log[0]):
    small_clip = load(snakemake.config).small_clips[snakemake.wildcards.small_clip]
    render_stills(small_clip.stills, SIZE, small_clip.seed, Path(snakemake.output.stills))
