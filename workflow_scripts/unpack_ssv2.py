"""Unpack the listed videos of Something-Something V2."""

from pathlib import Path

from fsar.benchmarks.splits import SPLITS
from fsar.config import load
from fsar.job import logged
from fsar.sources.something import archive_parts, unpack
from fsar.sources.split_lists import read_split_lists

with logged(snakemake.log[0]):
    lists = [Path(path) for path in snakemake.input.lists]
    entries = [
        entry
        for start in range(0, len(lists), len(SPLITS))
        for entry in read_split_lists(lists[start : start + len(SPLITS)])
    ]
    unpack(
        archive_parts(Path(load(snakemake.config).sources.ssv2.folder)),
        entries,
        Path(snakemake.output.videos),
        Path(snakemake.output.inventory),
    )
