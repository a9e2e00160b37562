"""Decode one shard of a benchmark's videos."""

from pathlib import Path

from fsar.config import FramesConfig, load
from fsar.job import logged
from fsar.plan.videos import PresentVideos
from fsar.videos.store_write import write_shard

with logged(snakemake.log[0], measured=True):
    # How long a video may take is no parameter: it decides nothing where all are decoded in time.
    config, benchmark = load(snakemake.config), snakemake.wildcards.benchmark
    execution = config.settings(benchmark, "frames").execution()
    # Which videos there are is found as it was planned; the parameter `videos` changes with them.
    videos = PresentVideos(config).listed(benchmark)
    assert videos is not None  # the job's inputs are there
    write_shard(
        videos,
        snakemake.params.shard,
        FramesConfig(**snakemake.params.frames, **execution),
        Path(snakemake.output.arrow),
        Path(snakemake.output.index),
    )
