"""Kinetics-400: hundreds of tar archives, with few listed videos each. One archive at a time is on the disk."""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from fsar.benchmarks.data_sets import KINETICS
from fsar.errors import UserError
from fsar.seal import whole
from fsar.sources.archives.tars import extract_tar
from fsar.sources.data_set import Files, Find
from fsar.sources.download import Patience, fetch
from fsar.sources.inventory import write_inventory
from fsar.sources.is_video import is_usual
from fsar.sources.places import Place
from fsar.sources.split_lists import Entry

log = logging.getLogger(__name__)

ID_LENGTH = 11  # of a YouTube id


def video_id(file: str) -> str:
    """Return the YouTube id at the beginning of a file name, with or without a time range after it."""
    return file[:ID_LENGTH]


def by_id(inventory: pd.DataFrame) -> Find:
    """Find a file by its YouTube id, with or without a time range, whatever its format."""
    paths = {video_id(file): path for file, path in zip(inventory["file"], inventory["path"], strict=True)}
    return lambda entry: paths.get(video_id(entry.file))


FILES = Files(KINETICS, find=by_id)


def list_path(split: str) -> str:
    """Return the path, relative to the data set's URL, of the list of archives of a split (train or val)."""
    return f"{split}/k400_{split}_path.txt"


def archive_urls(lists: Iterable[Path]) -> list[str]:
    """Read the lists of archives: one URL per line.

    Raises:
        UserError: a line is not the URL of an archive, or there is none.
    """
    lists, urls = list(lists), []
    for path in lists:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is not a list of archives: {error}") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            parts = urlsplit(line.strip())
            if parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w.-]+\.tar(\.gz)?", Path(parts.path).name):
                raise UserError(f"{path}, line {number}: {line!r} is not the URL of a tar archive")
            urls.append(line.strip())
    if not urls:
        raise UserError(f"{' and '.join(map(str, lists))} list no archive")
    return urls


def archive_places(url: str, folders: Iterable[Place]) -> list[Place]:
    """Return the URLs of an archive: below each URL of the data set, then the one in its list.

    Args:
        url: as listed; its last two parts, `train/part_0.tar.gz`, are its path below the data set's URL.
        folders: the URLs of the data set.
    """
    path = "/".join(urlsplit(url).path.split("/")[-2:])
    return list(dict.fromkeys([*(folder.below(path) for folder in folders), Place(url)]))


def fetch_part(
    urls: list[str],
    entries: Iterable[Entry],
    folder: Path,
    inventory: Path,
    places: Sequence[Place],
    patience: Patience,
) -> None:
    """Download archives one after the other, keep the listed videos of each, and delete it.

    After a stop, finished archives are not downloaded again: each leaves its own inventory.

    Args:
        urls: of the archives.
        entries: of the split lists.
        folder: of the data set; videos go to `videos/`, archives pass through `archives/`, notes stay in `done/`.
        inventory: Parquet file to write, of all videos found in these archives.
        places: of the data set, in order.
        patience: of the downloads.

    Raises:
        UserError: no URL gives an archive that can be unpacked, with the reason for each.
    """
    wanted = {video_id(entry.file) for entry in entries}
    videos: list[Path] = []
    for url in urls:
        parts = urlsplit(url)
        name = re.sub(r"[^\w.-]+", "-", parts.path.strip("/"))  # train and val have parts of the same name
        done = folder / "done" / f"{name}.parquet"
        if done.exists():
            with whole(done, foreign=True):  # a note without a checksum also saves a download
                noted = pd.read_parquet(done, columns=["path", "bytes"])
            if all(Path(v.path).is_file() and Path(v.path).stat().st_size == v.bytes for v in noted.itertuples()):
                videos += map(Path, noted["path"])
                continue
        archive = folder / "archives" / name
        found: list[Path] = []

        def unpack(complete: Path, url: str = url, found: list[Path] = found) -> None:
            found[:] = _unpack(complete, url, wanted, folder / "videos")

        # A download is unpacked as its check, before it counts as complete.
        fetch(archive_places(url, places), archive, patience, unpack)
        write_inventory(found, done)
        archive.unlink()
        videos += found
        log.info("%s: %d videos", url, len(found))
    write_inventory(videos, inventory)


def _unpack(archive: Path, url: str, wanted: set[str], folder: Path) -> list[Path]:
    """Unpack the wanted videos of an archive into a folder; return their paths.

    Raises:
        UserError: it is damaged, or holds no video at all.
    """
    seen = 0

    def target(member: str) -> Path | None:
        nonlocal seen
        file = member.rsplit("/", 1)[-1]
        named = re.fullmatch(r"[\w-]{11}(_\d{6}_\d{6})?\.(mp4|mkv|webm)", file)
        seen += is_usual(file)
        return folder / file if named and video_id(file) in wanted else None

    with archive.open("rb", buffering=0) as stream:
        found = [path for _, path in extract_tar(stream, archive.stat().st_size, target, url)]
    if not seen:
        raise UserError(f"{url} holds no video")
    return found
