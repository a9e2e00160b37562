"""Downloads that survive a bad connection: resumed by byte range, retried with growing pauses, checked, atomic.

The transfer itself is requests' (proxies, certificates, redirects); going on where it broke off is added here.
"""

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from tqdm import tqdm

from fsar.errors import UserError
from fsar.files import sha256_of, write_json
from fsar.job import progress

if TYPE_CHECKING:  # the config names the data sets, which are fetched from here
    from fsar.config import SourcesConfig

log = logging.getLogger(__name__)

CHUNK = 1 << 18  # bytes
# What the first bytes of a file must be, by its suffix: an error page with status 200 is no archive.
SIGNATURES = {".rar": b"Rar!\x1a\x07", ".gz": b"\x1f\x8b", ".zip": b"PK"}


@dataclass(frozen=True)
class Patience:
    """How hard to try.

    Attributes:
        retries: attempts in a row that bring no byte before giving up.
        pause: seconds before the second attempt; doubled for each further one.
        longest_pause: seconds.
        timeout: seconds without a byte that count as a broken connection.
        rate_limit: bytes per second; 0 for none.
    """

    retries: int = 6
    pause: float = 1.0
    longest_pause: float = 120.0
    timeout: float = 30.0
    rate_limit: float = 0.0

    @classmethod
    def of(cls, sources: "SourcesConfig") -> "Patience":
        """Return what the config's section `sources` says."""
        return cls(
            retries=sources.retries,
            pause=sources.pause,
            timeout=sources.timeout,
            rate_limit=sources.rate_limit * 1e6,
        )


class _BrokenError(Exception):
    """An attempt that may succeed when repeated; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


def download(url: str, path: Path, sha256: str | None = None, patience: Patience | None = None) -> None:
    """Download a file, going on from what an earlier attempt left.

    Without a known checksum, the one of the first complete download is written to `{path}.record.json` and every later
    download must equal it.

    Args:
        url: http or https.
        path: where it goes; it appears there only when it is complete and checked.
        sha256: the checksum it must have.
        patience: how hard to try.

    Raises:
        UserError: the server refuses, the connection stays broken, or the content is not what it must be.
    """
    patience = patience or Patience()
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _attempt(url, part, patience)
            break
        except (_BrokenError, requests.RequestException, OSError) as error:
            if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
                raise UserError(f"{url!r} is not a URL: {error}") from None
            gained = part.exists() and part.stat().st_size > before
            failures = 0 if gained else failures + 1
            if failures >= patience.retries:
                raise UserError(
                    f"{url} could not be downloaded: {error}. {failures} attempts in a row brought nothing; what is "
                    f"there is kept, and the same command goes on with it. {_OTHER_WAYS}"
                ) from None
            wait = min(
                max(patience.pause * 2 ** max(failures - 1, 0), getattr(error, "wait", 0.0)), patience.longest_pause
            )
            log.warning("%s: %s; trying again in %.1f s", url, error, wait)
            time.sleep(wait)
    _check(url, part, path, sha256)
    part.replace(path)
    _about(part).unlink(missing_ok=True)
    log.info("downloaded %s, %d bytes", url, path.stat().st_size)


_OTHER_WAYS = "A mirror, or a folder where the files are already, can be named in the config (section sources)."


def _about(part: Path) -> Path:
    """Where it stands which version of the file the part is of."""
    return part.with_name(part.name + ".json")


def _attempt(url: str, part: Path, patience: Patience) -> None:
    """Fetch what is missing of the part.

    Raises:
        _BrokenError: it ended early, or the server asks to come back later.
        UserError: the server will not give it.
    """
    have = part.stat().st_size if part.exists() else 0
    about: dict[str, Any] = {}
    if have:
        try:
            about = json.loads(_about(part).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            have = 0
        if about.get("url") != url or not about.get("version"):
            have = 0  # nothing tells that the rest would be of the same file
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": about["version"]}
    with requests.get(url, headers=headers, stream=True, timeout=patience.timeout) as answer:
        if answer.status_code == 416 and have and have == about.get("bytes"):
            return  # it was complete already
        if answer.status_code in (408, 425, 429) or answer.status_code >= 500 or answer.status_code == 416:
            if answer.status_code == 416:
                part.unlink(missing_ok=True)
            wait = answer.headers.get("Retry-After", "")
            raise _BrokenError(f"status {answer.status_code} {answer.reason}", float(wait) if wait.isdigit() else 0.0)
        if answer.status_code not in (200, 206):
            raise UserError(f"{url} is refused by its server: {answer.status_code} {answer.reason}. {_OTHER_WAYS}")
        resumed = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not resumed:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        # A weak ETag does not promise the same bytes.
        write_json(_about(part), {"url": url, "version": "" if version.startswith("W/") else version, "bytes": total})
        with part.open("ab" if resumed else "wb") as file:
            _copy(answer, file, have, total, patience)
        size = part.stat().st_size
        if total is not None and size != total:
            raise _BrokenError(f"it ended after {size} of {total} bytes")


def _copy(answer: requests.Response, file: Any, have: int, total: int | None, patience: Patience) -> None:
    started, copied = time.monotonic(), 0
    bar: tqdm[Any] = progress(None, "downloading", "B", total=total, initial=have, unit_scale=True)
    try:
        for chunk in answer.iter_content(CHUNK):
            file.write(chunk)
            copied += len(chunk)
            bar.update(len(chunk))
            if patience.rate_limit:
                time.sleep(max(0.0, copied / patience.rate_limit - (time.monotonic() - started)))
    finally:
        bar.close()


def _check(url: str, part: Path, path: Path, sha256: str | None) -> None:
    """Compare a complete download with what it must be; what is wrong is removed.

    Raises:
        UserError: it is something else.
    """
    signature = SIGNATURES.get(path.suffix)
    with part.open("rb") as file:
        start = file.read(len(signature or b""))
    found = sha256_of(part)
    if signature and start != signature:
        part.unlink()
        raise UserError(
            f"{url} gave something that is not a {path.suffix} file (it begins with {start!r}). {_OTHER_WAYS}"
        )
    record = path.with_name(path.name + ".record.json")
    if sha256 is not None and found != sha256:
        part.unlink()
        raise UserError(f"{url} gave a file with the sha256 {found}, but it must be {sha256}. {_OTHER_WAYS}")
    if sha256 is None and record.exists():
        first = json.loads(record.read_text(encoding="utf-8"))
        if first["sha256"] != found:
            part.unlink()
            raise UserError(
                f"{url} gave another file than the first time: sha256 {found}, where {record} has {first['sha256']}. "
                "If the source was renewed, delete that record."
            )
    write_json(record, {"url": url, "bytes": part.stat().st_size, "sha256": found})
