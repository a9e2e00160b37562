"""Download one file."""

from pathlib import Path

from fsar.config import load
from fsar.job import logged
from fsar.sources.archives.rar_or_zip import check_archive
from fsar.sources.download import Patience, fetch
from fsar.sources.kinetics import archive_urls
from fsar.sources.places import SPLIT_LISTS, places_of

with logged(snakemake.log[0]):
    # Where from, and with how much patience, is no parameter: another mirror fetches nothing again.
    sources = load(snakemake.config).sources
    params = snakemake.params
    places = places_of(sources, params.source, params.path, params.sha256)
    # Split lists have a checksum.
    checks = {SPLIT_LISTS: None, "kinetics": lambda path: archive_urls([path])}
    fetch(places, Path(snakemake.output[0]), Patience.of(sources), checks.get(params.source, check_archive))
