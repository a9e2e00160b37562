"""Decode one shard of a benchmark's videos."""

from pathlib import Path

from fsar.config import FramesConfig
from fsar.job import logged
from fsar.sources.manifest import read_videos
from fsar.videos.store_write import write_shard

with logged(snakemake.log[0], measured=True):
    write_shard(
        read_videos(Path(snakemake.input.videos)),
        snakemake.params.shard,
        FramesConfig(**snakemake.params.frames),
        Path(snakemake.output.arrow),
        Path(snakemake.output.index),
    )
