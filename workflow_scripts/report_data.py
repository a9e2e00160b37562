"""Report a benchmark's data: a page, a table of all videos, frames of each class."""

from pathlib import Path

from fsar.job import logged
from fsar.results.data_report import write_data_report

with logged(snakemake.log[0]):
    files, output = snakemake.input, snakemake.output
    write_data_report(
        snakemake.wildcards.benchmark,
        Path(files.manifest),
        Path(files.index),
        Path(files.missing[0]) if files.missing else None,
        snakemake.params.seed.value,
        page=Path(output.page),
        videos=Path(output.videos),
        strips_of_classes=Path(output.strips),
        counts=Path(output.counts),
    )
