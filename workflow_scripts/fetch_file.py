"""Download one file."""

from pathlib import Path

from fsar.job import logged
from fsar.sources.download import Patience, download

with logged(snakemake.log[0]):
    params = snakemake.params
    download(params.url, Path(snakemake.output[0]), params.sha256, Patience(**params.patience))
