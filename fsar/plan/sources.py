"""Which files a benchmark's videos come by: lists, archives, folders, inventories."""

import os
from pathlib import Path

from fsar.benchmarks.data_sets import DATA_SETS, PUBLISHED
from fsar.benchmarks.splits import SPLITS
from fsar.benchmarks.splits import split_lists as known_split_lists
from fsar.config import Config, CsvSource, DemoSource, PublishedSource
from fsar.errors import UserError
from fsar.plan import paths
from fsar.sources.data_sets import FILES
from fsar.sources.kinetics import list_path
from fsar.sources.places import SPLIT_LISTS, Place, places_of
from fsar.sources.something import archive_parts, has_videos


def folder_of(config: Config, dataset: str) -> str:
    """Return the folder whose videos are used as they lie there; empty where they are fetched or unpacked."""
    folder = str(getattr(config.sources, dataset).folder)
    if DATA_SETS[dataset].comes != "by hand":
        return folder
    # What was unpacked stays, so the archive may be deleted; what lies in the folder unpacked comes first.
    unpacked = Path(paths.UNPACKED.format(dataset=dataset)).is_file()
    return "" if (unpacked and not has_videos(Path(folder))) or archive_parts(Path(folder)) else folder


def used_benchmarks(config: Config) -> list[str]:
    """Return the benchmarks whose videos a run uses, once."""
    return list(dict.fromkeys(base for benchmark in config.run.benchmarks for base in config.data_of(benchmark)))


def listings(config: Config, benchmark: str) -> list[str]:
    """Return the lists of a benchmark's videos: the user's CSV, a published one, or one per rendered part."""
    source = config.benchmarks[benchmark].source
    if isinstance(source, CsvSource):
        return [source.file]
    if isinstance(source, DemoSource):
        return [paths.RENDERED.format(benchmark=benchmark, part=part) + ".csv" for part in range(source.parts)]
    return [paths.PUBLISHED_LISTING.format(benchmark=benchmark)]


def split_lists(config: Config, published: str) -> list[str]:
    """Return the split lists of a published benchmark: train, val and test; or the lists that a user brings."""
    name = PUBLISHED[published].name
    if own := FILES[name].lists:
        return [str(path) for path in own(published, Path(getattr(config.sources, name).folder))]
    return [paths.SPLIT_LIST.format(published=published, any_split=split) for split in SPLITS]


def split_list_fact(published: str, split: str, fact: str) -> str:
    """Return what is known of a split list: `path` below the URL of the lists, or `sha256`."""
    table = known_split_lists().set_index(["benchmark", "split"])
    return str(table.loc[(published, split), fact])


def videos_folder(config: Config, dataset: str) -> str:
    """Return the folder that a data set's videos lie in: the user's, or the one they are unpacked to."""
    return folder_of(config, dataset) or paths.UNPACKED_VIDEOS.format(dataset=dataset)


def makers_of_videos(config: Config, benchmark: str) -> list[str]:
    """Return the files after which a benchmark's videos are there, and after which all are decoded again."""
    source = config.benchmarks[benchmark].source
    if isinstance(source, DemoSource):
        return listings(config, benchmark)
    if isinstance(source, PublishedSource) and PUBLISHED[source.kind].comes != "parts":
        return made_files(config, PUBLISHED[source.kind].name)
    return []


def lists_of_videos(config: Config, benchmark: str) -> list[str]:
    """Return the fetched files that name a benchmark's videos, whose changes concern some shards only.

    What comes in parts is among them: fetching a part anew leaves the videos that are there as they are. A user's own
    list is not: it is there before the run, and under another name it lists the same videos.
    """
    source = config.benchmarks[benchmark].source
    if not isinstance(source, PublishedSource):
        return []
    in_parts = PUBLISHED[source.kind].comes == "parts"
    parts = made_files(config, PUBLISHED[source.kind].name) if in_parts else []
    return split_lists(config, source.kind) + parts


def made_files(config: Config, dataset: str) -> list[str]:
    """Return what is written when the workflow has put a data set's videos into their folder; nothing for a user's."""
    if folder_of(config, dataset):
        return []
    if DATA_SETS[dataset].comes == "parts":
        return [paths.KINETICS_PART.format(part=part) for part in range(config.sources.kinetics.parts)]
    return [paths.UNPACKED.format(dataset=dataset)]


def files_to_fetch(config: Config) -> dict[str, list[Place]]:
    """Return the files that a run begins with and fetches, each with its places in order.

    Of Kinetics these are the lists of its archives. An archive that was unpacked, and removed since, is not among them.
    """
    found: dict[str, list[Place]] = {}
    lists: dict[str, list[Place]] = {}
    for benchmark in used_benchmarks(config):
        source = config.benchmarks[benchmark].source
        if not isinstance(source, PublishedSource):
            continue
        fetched = () if PUBLISHED[source.kind].comes == "folder" else SPLITS
        for split, path in zip(fetched, split_lists(config, source.kind)[: len(fetched)], strict=True):
            below, sha256 = (split_list_fact(source.kind, split, fact) for fact in ("path", "sha256"))
            lists[path] = places_of(config.sources, SPLIT_LISTS, below, sha256)
        data_set = PUBLISHED[source.kind]
        if data_set.comes in ("by hand", "folder") or getattr(config.sources, data_set.name).folder:
            continue
        if data_set.comes == "parts":
            found |= _lists_of_archives(config)
        elif not Path(paths.UNPACKED.format(dataset=data_set.name)).exists():
            found[paths.ARCHIVE.format(archived=data_set.name)] = places_of(config.sources, data_set.name)
    return found | lists


def _lists_of_archives(config: Config) -> dict[str, list[Place]]:
    return {
        paths.KINETICS_LIST.format(kinetics_split=split): places_of(config.sources, "kinetics", list_path(split))
        for split in ("train", "val")
    }


def lists_of_archives(config: Config) -> dict[str, list[Place]]:
    """Return the lists whose archives a run fetches, with their places; none once every part has been fetched."""
    lists = _lists_of_archives(config)
    wanted = lists.keys() <= files_to_fetch(config).keys()
    return lists if wanted and not all(Path(part).exists() for part in made_files(config, "kinetics")) else {}


def annotations(config: Config, published: str) -> list[str]:
    """Return the annotations that name a benchmark's classes; none where its lists name them themselves."""
    name = PUBLISHED[published].name
    return [str(path) for path in FILES[name].annotations(Path(getattr(config.sources, name).folder))]


def check_registered_files(config: Config) -> None:
    """Check the files that a user brings, before any job.

    Raises:
        UserError: there is no such folder, or those of a data set that comes by hand are not there, with what to put
            where.
    """
    for benchmark in used_benchmarks(config):
        source = config.benchmarks[benchmark].source
        if isinstance(source, PublishedSource):
            name = PUBLISHED[source.kind].name
            folder = str(getattr(config.sources, name).folder)
            if folder and PUBLISHED[source.kind].comes != "by hand":
                _check_folder(Path(folder), f"sources.{name}.folder")
            annotations(config, source.kind)
            split_lists(config, source.kind)
            folder_of(config, name)


def _check_folder(folder: Path, key: str) -> None:
    try:
        with os.scandir(folder):
            return
    except OSError as error:
        raise UserError(
            f"{key} is {str(folder)!r}, which cannot be looked into: {error.strerror}. Name the folder that holds the "
            "videos, or leave the key out, and they are fetched."
        ) from None
