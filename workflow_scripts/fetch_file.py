"""Download one file."""

from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.sources.download import Patience, fetch
from fsar.sources.places import places_of

with logged(snakemake.log[0]):
    # Where from, and with how much patience, is no parameter: another mirror fetches nothing again.
    sources = load(snakemake.config).sources
    params = snakemake.params
    places = places_of(sources, params.source, params.path, params.sha256)
    fetch(places, Path(snakemake.output[0]), Patience.of(sources))
