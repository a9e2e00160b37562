"""The URLs of a file, in order. places.csv lists the public ones by data set.

URLs do not decide results: another one, or another order, triggers no recomputation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:  # the config names the data sets, which are fetched from here
    from fsar.config import SourcesConfig

PLACES = Path(__file__).with_name("places.csv")
SPLIT_LISTS = "split_lists"


@dataclass(frozen=True)
class Place:
    """The URL of a file or of a folder of files, with what is known of the file.

    Attributes:
        url: http or https.
        bytes: the size that the file must have, if known.
        sha256: the checksum that it must have, if known.
    """

    url: str
    bytes: int | None = None
    sha256: str | None = None

    @property
    def file(self) -> str:
        """The last part of the URL."""
        return self.url.split("?", 1)[0].rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        """The URL without its last two parts."""
        return self.url.rsplit("/", 2)[0]

    def below(self, path: str) -> "Place":
        """Return the URL of a file in this folder."""
        return replace(self, url=f"{self.url.rstrip('/')}/{path}")


@cache
def known_places(of: str) -> tuple[Place, ...]:
    """Return the public URLs of a data set's archive or folder, or of the folder of the split lists, in order."""
    table = pd.read_csv(PLACES, dtype=str, keep_default_na=False).query("of == @of")
    return tuple(
        Place(row.url, int(row.bytes) if row.bytes else None, row.sha256 or None) for row in table.itertuples()
    )


def places_of(sources: "SourcesConfig", of: str, path: str = "", sha256: str | None = None) -> list[Place]:
    """Return the URLs of a file: the user's mirrors, then the public ones.

    Args:
        sources: the config's section.
        of: a data set, or `split_lists`.
        path: of the file below the URL, if the URL is a folder.
        sha256: the checksum that the file must have from every URL, if known.
    """
    found = dict.fromkeys([*_mirrors(sources, of), *known_places(of)])
    files = [place.below(path) if path else place for place in found]
    return [replace(file, sha256=sha256) for file in files] if sha256 else files


def _mirrors(sources: "SourcesConfig", of: str) -> Iterator[Place]:
    named = sources.split_lists if of == SPLIT_LISTS else getattr(sources, of).mirrors
    for mirror in named:
        yield Place(mirror) if isinstance(mirror, str) else Place(mirror.url, mirror.bytes, mirror.sha256)
