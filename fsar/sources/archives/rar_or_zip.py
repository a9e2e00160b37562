"""Reads RAR and zip archives, recognised by their first bytes."""

from collections.abc import Mapping
from pathlib import Path

from fsar.errors import UserError
from fsar.sources.archives.members import Member, reading
from fsar.sources.archives.rars import check_rar, extract_rar, rar_members
from fsar.sources.archives.zips import check_zip, extract_zip, zip_members
from fsar.sources.is_video import is_usual

ARCHIVES = (".rar", ".zip")  # suffixes of archives within archives
RAR, ZIP = b"Rar!\x1a\x07", b"PK\x03\x04"  # their first bytes


def members_of(archive: Path) -> list[Member]:
    """Return the regular files of a RAR or zip archive in its order, without links, folders and encrypted files.

    Raises:
        UserError: it is neither, or cannot be read.
    """
    return zip_members(archive) if _is_zip(archive) else rar_members(archive)


def extract(archive: Path, wanted: Mapping[str, Path], members: list[Member]) -> None:
    """Write some members of a RAR or zip archive, each to the path given for it, in one pass over the archive.

    Args:
        archive: the archive.
        wanted: name in the archive → where it goes.
        members: what `members_of` returned.

    Raises:
        UserError: a member is missing, larger than any video, or broken.
    """
    (extract_zip if _is_zip(archive) else extract_rar)(archive, wanted, members)


def _is_zip(archive: Path) -> bool:
    """Tell a zip from a RAR by its first bytes.

    Raises:
        UserError: it is neither.
    """
    with reading(archive), archive.open("rb") as file:
        start = file.read(max(len(RAR), len(ZIP)))
    if not start.startswith((RAR, ZIP)):
        raise UserError(f"{archive} cannot be read as an archive: it is neither RAR nor zip (it begins with {start!r})")
    return start.startswith(ZIP)


def check_archive(archive: Path) -> None:
    """Read a RAR or zip archive to its end, and check that it may hold videos.

    Raises:
        UserError: it cannot be read, is damaged, or holds neither videos nor archives.
    """
    members = members_of(archive)
    if not any(is_usual(member.name) or member.name.lower().endswith(ARCHIVES) for member in members):
        raise UserError(f"{archive} holds no video and no archive, in {len(members)} files")
    if _is_zip(archive):
        check_zip(archive, members)
    else:
        check_rar(archive)
