"""The videos as they are now: what a shard of the frame store depends on, known when a run is planned."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import pandas as pd

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.config import Config, CsvSource, PublishedSource
from fsar.files import on_disk
from fsar.plan.sources import listings, made_files, split_lists, videos_folder
from fsar.sources.inventory import videos_of_folder
from fsar.sources.manifest import read_listings
from fsar.sources.there import fingerprint, listed_videos, state_of
from fsar.videos.shards import shard_of


class Known(str):
    """A value of a parameter that Snakemake records as it is when it records it, and not as it was when it planned.

    Which videos a user's folder has of a published data set is known once the run has fetched their lists. Snakemake
    records a parameter by its `repr` when the job has ended, and compares it with that of the next plan.
    """

    def __new__(cls, find: Callable[[], str]) -> Self:
        value = super().__new__(cls, find())
        value._find = find
        return value

    _find: Callable[[], str]

    def __repr__(self) -> str:
        return repr(self._find())

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class PresentVideos:
    """The videos of the benchmarks of a config, looked at once, and again when what makes them has run."""

    def __init__(self, config: Config):
        self.config = config
        self._folders: dict[str, tuple[list[tuple[int, int]], pd.DataFrame]] = {}
        self._lists: dict[str, pd.DataFrame] = {}
        self._shards: dict[str, tuple[list[tuple[int, int]], dict[int, str]]] = {}

    def folder_contents(self, dataset: str) -> str:
        """Return the fingerprint of a data set's folder: its videos with their sizes and times; none if still empty."""

        def contents() -> str:
            if not self._is_there(dataset):
                return ""
            return fingerprint(_as_made(self._folder(dataset), state_of(made_files(self.config, dataset))))

        return Known(contents)

    def of_shard(self, benchmark: str, shard: int) -> str:
        """Return the fingerprint of a shard's videos: their ids, sizes and times of modification.

        A path does not count, so a data set that is moved is not decoded again. Nor does the time of a video that lies
        as the workflow has made it: two checkouts that render or unpack the same videos can share their frames. Empty
        while the videos are still to be made; once they are, what is recorded is the fingerprint (`Known`).
        """
        return Known(lambda: self._of_shard(benchmark, shard))

    def _of_shard(self, benchmark: str, shard: int) -> str:
        made = state_of(self._made_files(benchmark))
        if self._shards.get(benchmark, (None,))[0] != made:
            videos = self.listed(benchmark)
            if videos is None:
                return ""
            self._shards[benchmark] = (made, self._fingerprints(benchmark, videos, made))
        return self._shards[benchmark][1].get(shard, "")

    def listed(self, benchmark: str) -> pd.DataFrame | None:
        """Return video_id and path of a benchmark's videos as its manifest has them; None while they are not known.

        Raises:
            UserError: a list cannot be used, or there is no such folder.
        """
        source = self.config.benchmarks[benchmark].source
        if not isinstance(source, PublishedSource):
            files = [Path(path) for path in listings(self.config, benchmark)]
            there = source is not None and all(path.is_file() for path in files)
            return read_listings(files, "leave") if there else None
        lists = [Path(path) for path in split_lists(self.config, source.kind)]
        if not self._is_there(PUBLISHED[source.kind].name) or not all(path.is_file() for path in lists):
            return None
        return listed_videos(source.kind, lists, self._folder(PUBLISHED[source.kind].name))

    def own_list(self, file: str) -> pd.DataFrame:
        """Read a user's list once, with what is told of its files.

        Raises:
            UserError: the list cannot be used, or lists a file twice.
        """
        if file not in self._lists:
            self._lists[file] = read_listings([Path(file)])
        return self._lists[file]

    def _made_files(self, benchmark: str) -> list[str]:
        source = self.config.benchmarks[benchmark].source
        if isinstance(source, PublishedSource):
            return made_files(self.config, PUBLISHED[source.kind].name)
        return listings(self.config, benchmark)

    def _fingerprints(self, benchmark: str, videos: pd.DataFrame, made: list[tuple[int, int]]) -> dict[int, str]:
        shards = self.config.videos(benchmark).frames.shards
        table = pd.DataFrame(state_of(map(on_disk, videos["path"])), columns=["bytes", "mtime_ns"])
        table = table.assign(path=videos["video_id"].to_numpy())
        if not isinstance(self.config.benchmarks[benchmark].source, CsvSource):
            table = _as_made(table, made)
        numbers = table["path"].map(lambda video_id: shard_of(video_id, shards))
        return {int(number): fingerprint(own) for number, own in table.groupby(numbers)}

    def _is_there(self, dataset: str) -> bool:
        return all(Path(path).is_file() for path in made_files(self.config, dataset))

    def _folder(self, dataset: str) -> pd.DataFrame:
        made = state_of(made_files(self.config, dataset))
        if self._folders.get(dataset, (None,))[0] != made:
            self._folders[dataset] = (made, videos_of_folder(Path(videos_folder(self.config, dataset))))
        return self._folders[dataset][1]


def _as_made(videos: pd.DataFrame, made: list[tuple[int, int]]) -> pd.DataFrame:
    """Leave out the times of videos that were not touched since the workflow has made them.

    Args:
        videos: with the column mtime_ns.
        made: size and time of the files written afterwards; none for videos that the workflow does not make.
    """
    if not made:
        return videos
    finished = max(mtime for _, mtime in made)
    return videos.assign(mtime_ns=videos["mtime_ns"].where(videos["mtime_ns"] > finished, 0))
