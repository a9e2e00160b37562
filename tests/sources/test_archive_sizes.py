"""Archives that claim other sizes than they have are read in bounded memory, or refused."""

import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from struct import pack

import pytest

from fsar.sources.archives.members import Member
from fsar.sources.archives.zips import zip_members
from tests.sources.test_archives import everything_below


def peak_of(program, *arguments):
    """Run a program and return its own peak memory in MB; `ru_maxrss` begins with that of the process before."""
    lines = "import re, sys\n" + program
    lines += "\nprint(int(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1]) / 1024)"
    run = subprocess.run([sys.executable, "-c", lines, *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return float(run.stdout)


REFUSED = """
from pathlib import Path
from fsar.errors import UserError
from fsar.sources.archives.tars import *
from fsar.sources.archives.zips import *
path, out = Path(sys.argv[1]), Path(sys.argv[2])
try:
    {}
except UserError:
    pass
else:
    sys.exit("not refused")
"""


@pytest.fixture(scope="module")
def nothing_read():
    """MB of a process that has only imported what reads archives."""
    return peak_of("from fsar.sources.archives.tars import *")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_lies_about_its_size_stays_small(tmp_path, nothing_read, method):
    """A member of 100 MB that claims 1,000 bytes."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("a.avi", "w") as member:
        for _ in range(100):
            member.write(bytes(1 << 20))
    content = path.read_bytes().replace(pack("<I", 100 << 20), pack("<I", 1000))
    path.write_bytes(content)
    assert zip_members(path) == [Member("a.avi", 1000)]
    program = REFUSED.format('extract_zip(path, {"a.avi": out / "a.avi"}, zip_members(path))')
    assert peak_of(program, path, tmp_path / "out") < nothing_read + 50
    assert everything_below(tmp_path) == ["a.zip"]


def header_that_claims(size, kind):
    """Return a compressed tar with a header of this kind, which is followed by as many bytes as it claims."""
    info = tarfile.TarInfo("a.mp4")
    info.type, info.size = kind, size
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size >> 20):
            file.write(b"1" * (1 << 20))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_tar_with_an_endless_header_stays_small(tmp_path, nothing_read, kind):
    (tmp_path / "a.tar.gz").write_bytes(header_that_claims(200 << 20, kind))
    program = REFUSED.format('list(extract_tar(path.open("rb", buffering=0), 10**9, lambda name: out / name, "a.tar"))')
    assert peak_of(program, tmp_path / "a.tar.gz", tmp_path / "out") < nothing_read + 50
    assert everything_below(tmp_path) == ["a.tar.gz"]
