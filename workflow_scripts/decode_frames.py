"""Decode one shard of a benchmark's videos."""

from pathlib import Path

import pandas as pd

from fsar.config import FramesConfig, load
from fsar.job import logged
from fsar.videos.store_write import write_shard

with logged(snakemake.log[0], measured=True):
    # How long a video may take is no parameter: it decides nothing where all are decoded in time.
    execution = load(snakemake.config).settings(snakemake.wildcards.benchmark, "frames").execution()
    write_shard(
        pd.read_parquet(snakemake.input.videos, columns=["video_id", "path"]),
        snakemake.params.shard,
        FramesConfig(**snakemake.params.frames, **execution),
        Path(snakemake.output.arrow),
        Path(snakemake.output.index),
    )
