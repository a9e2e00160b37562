"""How many classes a test episode holds; `all` is as many as a benchmark has test classes."""

from fsar.benchmarks.splits import split_lists
from fsar.config import Config, CsvSource, DemoSource
from fsar.config.run import ALL
from fsar.errors import UserError
from fsar.plan.videos import PresentVideos
from fsar.sources.manifest import video_counts


def ways_of(config: Config, videos: PresentVideos, benchmark: str) -> list[int]:
    """Return the ways that a benchmark is tested with, in the order of the config.

    Raises:
        UserError: a user's list, whose classes are counted, cannot be used.
    """
    asked = (way if isinstance(way, int) else test_classes(config, videos, benchmark) for way in config.run.ways)
    return list(dict.fromkeys(asked))


def holds_every_class(config: Config, videos: PresentVideos, benchmark: str, way: int) -> bool:
    """Tell whether an episode holds every test class, and that was asked for."""
    return ALL in config.run.ways and way == test_classes(config, videos, benchmark)


def test_classes(config: Config, videos: PresentVideos, benchmark: str) -> int:
    """Return how many test classes a benchmark has, by its source; raises UserError if its list does not tell."""
    source = config.benchmarks[config.base(benchmark)].source
    if isinstance(source, DemoSource):
        return source.classes.test
    if isinstance(source, CsvSource):
        return len(video_counts(videos.own_list(source.file))["test"])
    assert source is not None  # of a base
    lists = split_lists().query("benchmark == @source.kind and split == 'test'")
    if lists.empty:
        raise UserError(
            f"run.ways has {ALL!r}, but how many test classes {source.kind} has no pinned list says: name a number"
        )
    return int(lists["classes"].iloc[0])
