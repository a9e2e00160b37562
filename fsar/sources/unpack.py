"""Unpacks data sets that are one archive, RAR or zip, or an archive of archives."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from fsar.errors import NotWritableError, UserError
from fsar.sources.archives.members import Member
from fsar.sources.archives.rar_or_zip import ARCHIVES, extract, members_of
from fsar.sources.data_set import by_folder_and_file
from fsar.sources.inventory import write_inventory
from fsar.sources.split_lists import Entry


def unpack(archive: Path, entries: Iterable[Entry], folder: Path, inventory: Path) -> None:
    """Unpack the listed videos to `{folder}/{class}/{file}`, whatever folders the archive has.

    Args:
        archive: as downloaded.
        entries: of the split lists; they name class folder and file.
        folder: of the videos; names in it come from the lists, never from the archive.
        inventory: Parquet file to write.

    Raises:
        UserError: the archive is damaged, or holds none of the videos, with what to do.
    """
    try:
        _unpack_all(archive, entries, folder, inventory)
    except NotWritableError:
        raise
    except UserError as error:
        raise UserError(
            f"{error}\nDelete {archive} and {archive.name}.record.json beside it, and the next run fetches it again. "
            "Where its place gives nothing better, name another one (section sources, key mirrors)"
        ) from error


def _unpack_all(archive: Path, entries: Iterable[Entry], folder: Path, inventory: Path) -> None:
    targets = {entry: folder / entry.folder / entry.file for entry in entries}
    unpacked = _unpack(archive, targets)
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".unpacking-") as temporary:
        for inner in _inner_archives(archive, Path(temporary)):
            unpacked += _unpack(inner, targets)
    if not unpacked:
        raise UserError(f"{archive} holds none of the {len(targets)} videos of the split lists")
    write_inventory(unpacked, inventory)


def _unpack(archive: Path, targets: Mapping[Entry, Path]) -> list[Path]:
    members = members_of(archive)
    find = by_folder_and_file(_as_inventory(members))
    wanted = {name: target for entry, target in targets.items() if (name := find(entry)) is not None}
    extract(archive, wanted, members)
    return list(wanted.values())


def _inner_archives(archive: Path, folder: Path) -> list[Path]:
    """Unpack the archives in an archive; no deeper, since an archive may hold itself."""
    members = members_of(archive)
    inner = [member.name for member in members if member.name.lower().endswith(ARCHIVES)]
    extracted = {name: folder / str(number) for number, name in enumerate(inner)}
    extract(archive, extracted, members)
    return list(extracted.values())


def _as_inventory(members: Sequence[Member]) -> pd.DataFrame:
    """Return folder (the last one), file and path of each name in an archive."""
    parts = [member.name.replace("\\", "/").split("/") for member in members]
    rows = [
        ("/".join(folders[-1:]), file, member.name) for (*folders, file), member in zip(parts, members, strict=True)
    ]
    return pd.DataFrame(rows, columns=["folder", "file", "path"], dtype=str)
