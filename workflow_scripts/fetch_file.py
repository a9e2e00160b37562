"""Download one file."""

from functools import reduce
from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.sources.download import Patience, download

with logged(snakemake.log[0]):
    # Where from, and with how much patience, is no parameter: another mirror fetches nothing again.
    sources = load(snakemake.config).sources
    place = reduce(getattr, snakemake.params.source.split("."), sources)
    url = place + snakemake.params.path
    download(url, Path(snakemake.output[0]), snakemake.params.sha256, Patience.of(sources))
