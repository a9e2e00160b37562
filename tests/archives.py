"""Archives and a server for the tests: miniatures of what the data sets publish, and what goes wrong on the way."""

import io
import tarfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from struct import pack

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
    """

    content: bytes
    ranges: bool = True
    etag: str = '"1"'
    statuses: list[int] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: dict[str, Served]

    def do_GET(self) -> None:
        served = self.files.get(self.path.lstrip("/"))
        if served is None:
            return self._status(404)
        wanted = self.headers.get("Range", "")
        served.requests.append(wanted)
        if served.statuses:
            return self._status(served.statuses.pop(0))
        start = 0
        if wanted and served.ranges and self.headers.get("If-Range", served.etag) == served.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(served.content):
                return self._status(416)
        body = served.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
        if served.etag:
            self.send_header("ETag", served.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if served.drops:
            self.wfile.write(body[: served.drops.pop(0)])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return None
        self.wfile.write(body)
        return None

    def _status(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def finish(self) -> None:
        with suppress(OSError, ValueError):  # where the connection was dropped on purpose
            super().finish()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, Served]) -> Iterator[str]:
    """Serve files over loopback HTTP; yields the URL they are below."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"files": files}))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
