"""Archives and a server for the tests: miniatures of what the data sets publish, and what goes wrong on the way."""

import io
import ssl
import subprocess
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from struct import pack

import pytest

REGULAR, LINK, FOLDER = 0o100644, 0o120777, 0o040755


def make_rar(
    members: list[tuple[str, bytes]], modes: dict[str, int] | None = None, claims: dict[str, int] | None = None
):
    """Return a RAR archive (version 4, as UCF101's and HMDB51's are) with stored members.

    No free program writes RAR; the format without compression is a few headers, and 7-Zip and libarchive read it.

    Args:
        members: names and contents.
        modes: Unix modes that are not those of regular files, by name.
        claims: sizes that headers claim instead of the true ones, by name.
    """

    def block(kind: int, flags: int, body: bytes) -> bytes:
        header = pack("<BHH", kind, flags, 7 + len(body)) + body
        return pack("<H", zlib.crc32(header) & 0xFFFF) + header

    parts = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, content in members:
        mode, encoded = (modes or {}).get(name, REGULAR), name.encode()
        size = (claims or {}).get(name, len(content))
        flags = 0x8000 | (0x0200 if not name.isascii() else 0) | (0xE0 if mode == FOLDER else 0)
        facts = pack("<IIBIIBBHI", len(content), size, 3, zlib.crc32(content), 0, 29, 0x30, len(encoded), mode)
        parts += [block(0x74, flags, facts + encoded), content]
    return b"".join([*parts, block(0x7B, 0x4000, b"")])


def make_tar(members: list[tuple[str, bytes]], special: list[tarfile.TarInfo] | None = None) -> bytes:
    """Return a tar.gz with regular files, then special members as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in special or []:
            archive.addfile(info)
    return buffer.getvalue()


def make_zip(
    members: list[tuple[str, bytes]], modes: dict[str, int] | None = None, encrypted: Iterable[str] = ()
) -> bytes:
    """Return a zip archive; members may have Unix modes other than those of regular files, or claim to be encrypted."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (modes or {}).get(name, REGULAR) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
            entry.flag_bits |= int(name in encrypted)  # as the directory at the end of the archive says
    return buffer.getvalue()


@dataclass
class Served:
    """A file of the server, and how it misbehaves.

    Attributes:
        content: its bytes.
        ranges: whether it honours ranges.
        etag: its version; empty for none.
        statuses: given instead of the file, one per request, before it is served.
        drops: after how many bytes of the body the connection is closed, one per request.
        requests: the Range header of each request so far.
        head: whether it is told by HEAD how long it is; other servers refuse that.
        held: answers come once this is set, as of a server that hangs.
        leads_to: a URL that is given instead of it.
        kind: its media type.
    """

    content: bytes
    ranges: bool = True
    etag: str = '"1"'
    statuses: list[int] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    head: bool = True
    held: threading.Event | None = None
    leads_to: str = ""
    kind: str = "application/octet-stream"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: dict[str, Served]

    def do_HEAD(self) -> None:
        served = self.files.get(self.path.lstrip("/"))
        if served is not None and not served.head:
            return self._status(405)
        return self.do_GET()

    def do_GET(self) -> None:
        served = self.files.get(self.path.lstrip("/"))
        if served is None:
            return self._status(404)
        wanted = self.headers.get("Range", "")
        if self.command == "GET":
            served.requests.append(wanted)
        if served.held is not None:
            served.held.wait(60)
        if served.leads_to:
            return self._status(302, Location=served.leads_to)
        if served.statuses:
            return self._status(served.statuses.pop(0))
        body = served.content
        if ranged := wanted and served.ranges and self.headers.get("If-Range", served.etag) == served.etag:
            start, end = wanted.removeprefix("bytes=").split("-")
            if int(start) >= len(served.content):
                return self._status(416)
            body = served.content[int(start) : int(end) + 1 if end else None]
        self.send_response(206 if ranged else 200)
        if ranged:
            last = int(start) + len(body) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(served.content)}")
        if served.etag:
            self.send_header("ETag", served.etag)
        self.send_header("Content-Type", served.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return None
        if served.drops:
            self.wfile.write(body[: served.drops.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return None
        self.wfile.write(body)
        return None

    def _status(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def finish(self) -> None:
        with suppress(OSError, ValueError):  # where the connection was dropped on purpose
            super().finish()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, Served], certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Serve files over loopback HTTP, or HTTPS with a certificate and its key; yields the URL they are below."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"files": files}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http{'' if certificate is None else 's'}://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1, signed by nobody but itself, and its key; without openssl, skip the test."""
    if which("openssl") is None:
        pytest.skip("no openssl on this machine, which makes the certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    command = ["openssl", "req", "-x509", *new_key, *subject, "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
