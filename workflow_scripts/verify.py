"""Check the files of the data against their recorded checksums, and build damaged shards again."""

from pathlib import Path

from fsar.config import FramesConfig
from fsar.job import logged
from fsar.videos.verify import verify

with logged(snakemake.log[0]):
    frames = {name: FramesConfig(**settings) for name, settings in snakemake.params.frames.items()}
    verify(Path("data"), frames)
