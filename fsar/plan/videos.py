"""The videos as they are now: what a shard of the frame store depends on, known when a run is planned."""

from pathlib import Path

import pandas as pd

from fsar.config import Config, CsvSource, PublishedSource
from fsar.plan.sources import folder_of, inventories, split_lists
from fsar.sources.facts import DATASETS
from fsar.sources.inventory import videos_of_folder
from fsar.sources.manifest import read_listings
from fsar.sources.there import fingerprint, listed_videos, state_of
from fsar.videos.shards import shard_of


class PresentVideos:
    """The videos of the benchmarks of a config, looked at once while a run is planned.

    Args:
        config: the config.
    """

    def __init__(self, config: Config):
        self.config = config
        self._folders: dict[str, pd.DataFrame] = {}
        self._lists: dict[str, pd.DataFrame] = {}
        self._shards: dict[str, dict[int, str]] = {}

    def folder_contents(self, dataset: str) -> str:
        """Return the fingerprint of a data set's folder: its videos with their sizes and times."""
        return fingerprint(self._folder(dataset))

    def of_shard(self, benchmark: str, shard: int) -> str | None:
        """Return the fingerprint of a shard's videos: their ids, sizes and times of modification.

        A path does not count, so a data set that is moved is not decoded again. None where the files are made in this
        run, or have still to be fetched; then what makes them decides (`Plan.made_by`).
        """
        if benchmark not in self._shards:
            videos = self._listed(benchmark)
            if videos is None:
                return None
            self._shards[benchmark] = self._fingerprints(benchmark, videos)
        return self._shards[benchmark].get(shard, "")

    def _fingerprints(self, benchmark: str, videos: pd.DataFrame) -> dict[int, str]:
        shards = self.config.settings(benchmark, "frames").shards
        state = pd.DataFrame(state_of(videos["path"]), columns=["bytes", "mtime_ns"])
        table = state.assign(path=videos["video_id"].to_numpy())
        numbers = table["path"].map(lambda video_id: shard_of(video_id, shards))
        return {int(number): fingerprint(own) for number, own in table.groupby(numbers)}

    def _listed(self, benchmark: str) -> pd.DataFrame | None:
        """Return video_id and path of a benchmark's videos, or None while they cannot be known."""
        source = self.config.benchmarks[benchmark].source
        if isinstance(source, CsvSource):
            return self.own_list(source.file)
        if not isinstance(source, PublishedSource):
            return None
        needed = [Path(path) for path in split_lists(source.kind)]
        inventories_there = [Path(path) for path in inventories(self.config, source.kind)]
        from_folder = bool(folder_of(self.config, DATASETS[source.kind]))
        if not all(path.is_file() for path in needed + ([] if from_folder else inventories_there)):
            return None
        if from_folder:
            return listed_videos(source.kind, needed, self._folder(DATASETS[source.kind]))
        return listed_videos(source.kind, needed, inventories_there)

    def own_list(self, file: str) -> pd.DataFrame:
        """Read a user's list once.

        Raises:
            UserError: the list cannot be used.
        """
        if file not in self._lists:
            self._lists[file] = read_listings([Path(file)])
        return self._lists[file]

    def _folder(self, dataset: str) -> pd.DataFrame:
        if dataset not in self._folders:
            self._folders[dataset] = videos_of_folder(Path(folder_of(self.config, dataset)))
        return self._folders[dataset]
