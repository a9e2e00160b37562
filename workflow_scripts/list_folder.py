"""List the videos that are in a folder already."""

from pathlib import Path

from fsar.benchmarks.inventory import list_folder
from fsar.job import logged

with logged(snakemake.log[0]):
    list_folder(Path(snakemake.params.folder), Path(snakemake.output.inventory))
