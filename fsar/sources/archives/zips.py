"""Reads zip archives with Python's own module."""

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from fsar.errors import UserError
from fsar.job import progress
from fsar.sources.archives.members import CHUNK, Member, check_sizes, chosen_members, copy, reading

ENCRYPTED = 1  # flag of an entry


def zip_members(archive: Path) -> list[Member]:
    """Return the regular files of a zip archive: see `rar_or_zip.members_of`."""
    with reading(archive), zipfile.ZipFile(archive) as opened:
        return [Member(entry.filename, entry.file_size) for entry in opened.infolist() if is_plain(entry)]


def is_plain(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 if the archive comes from a system without file types
    return not entry.is_dir() and not entry.flag_bits & ENCRYPTED and kind in (0, stat.S_IFREG)


def extract_zip(archive: Path, wanted: Mapping[str, Path], members: list[Member]) -> None:
    """Write some members of a zip archive, whose checksums must be right: see `rar_or_zip.extract`."""
    chosen_members(archive, wanted, members)
    with reading(archive), zipfile.ZipFile(archive) as opened:
        chosen = [entry for entry in opened.infolist() if entry.filename in wanted and is_plain(entry)]
        for entry in progress(chosen, "unpacking", "file"):
            with open_member(opened, entry) as file:
                copy(file, wanted[entry.filename], entry.file_size, f"{entry.filename} in {archive}")


def open_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member of a zip archive.

    Raises:
        UserError: its compression makes Python unpack it at once, perhaps gigabytes from a few bytes.
    """
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"{entry.filename} in {archive.filename} is compressed in a way (number {entry.compress_type}) that is not "
            "read here; pack it anew with deflate, or name the unpacked files' folder (section sources, key folder)"
        )
    return archive.open(entry)


def check_zip(archive: Path, members: list[Member]) -> None:
    """Read a zip archive to its end; raises UserError if it is damaged, or larger than videos can be."""
    with reading(archive), zipfile.ZipFile(archive) as opened:
        check_sizes(archive, members)
        for entry in filter(is_plain, opened.infolist()):
            with open_member(opened, entry) as file:
                while file.read(CHUNK):
                    pass
