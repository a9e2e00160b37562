"""Data sets in one RAR archive, or in a RAR archive of RAR archives."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from fsar.errors import UserError
from fsar.sources.archives import Member, extract_rar, rar_members
from fsar.sources.inventory import write_inventory
from fsar.sources.split_lists import Entry


def unpack(archive: Path, entries: Iterable[Entry], folder: Path, inventory: Path) -> None:
    """Unpack the videos that the split lists name, to `{folder}/{class}/{file}`.

    Args:
        archive: as downloaded.
        entries: of the split lists; they name class folder and file.
        folder: where the videos go; the names in it come from the lists and never from the archive.
        inventory: Parquet file to write.

    Raises:
        UserError: the archive is damaged, or holds none of the videos.
    """
    targets = {(entry.folder, entry.file): folder / entry.folder / entry.file for entry in entries}
    unpacked = _unpack(archive, targets)
    if not unpacked:
        raise UserError(f"{archive} holds none of the {len(targets)} videos of the split lists")
    write_inventory(unpacked, inventory)


def _unpack(archive: Path, targets: dict[tuple[str, str], Path]) -> list[Path]:
    members = rar_members(archive)
    wanted = {member.name: target for member in members if (target := targets.get(_key(member)))}
    extract_rar(archive, wanted, members)
    unpacked = list(wanted.values())
    inner = [member for member in members if member.name.lower().endswith(".rar")]
    if inner:
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".unpacking-") as temporary:
            archives = {member.name: Path(temporary) / f"{number}.rar" for number, member in enumerate(inner)}
            extract_rar(archive, archives, members)
            for path in archives.values():
                unpacked += _unpack(path, targets)
    return unpacked


def _key(member: Member) -> tuple[str, str]:
    """Return the last folder and the file of a name in an archive."""
    *folders, file = member.name.replace("\\", "/").split("/")
    return (folders[-1] if folders else "", file)
