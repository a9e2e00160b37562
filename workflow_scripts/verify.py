"""Check the files of the data against their recorded checksums, and build damaged shards again."""

from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.plan.sources import used_benchmarks
from fsar.videos.verify import verify

with logged(snakemake.log[0]):
    config = load(snakemake.config)
    verify(Path("data"), {base: config.videos(base).frames for base in sorted(used_benchmarks(config))})
