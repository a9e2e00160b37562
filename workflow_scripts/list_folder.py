"""List the videos that are in a folder already."""

from pathlib import Path

from fsar.job import logged
from fsar.sources.inventory import list_folder

with logged(snakemake.log[0]):
    list_folder(Path(snakemake.params.folder), Path(snakemake.output.inventory))
