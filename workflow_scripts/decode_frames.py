"""Decode one shard of a benchmark's videos."""

from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.plan import paths
from fsar.plan.videos import PresentVideos
from fsar.videos.store_write import write_shard

names = snakemake.wildcards
with logged(snakemake.log[0], measured=paths.DECODE_TIME.format(**names)):
    config = load(snakemake.config)
    # Which videos there are is found as it was planned; the parameter `videos` changes with them.
    videos = PresentVideos(config).listed(names.benchmark)
    assert videos is not None  # the job's inputs are there
    write_shard(
        videos,
        snakemake.params.shard,
        config.videos(names.benchmark).for_stage("decode_frames").frames,
        Path(snakemake.output.arrow),
        Path(snakemake.output.index),
    )
