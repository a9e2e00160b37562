"""Downloads over bad connections: resumed by byte range, retried with growing pauses, checked, atomic.

A file has several URLs; if one fails, the next is tried. The library requests does the transfer (proxies,
certificates, redirects); resuming is added here.
"""

import glob
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from tqdm import tqdm

from fsar.errors import NotWritableError, UserError
from fsar.files import sha256_of, write_json
from fsar.job import progress
from fsar.sources.archives.rar_or_zip import RAR, ZIP
from fsar.sources.places import Place

if TYPE_CHECKING:  # the config names the data sets, which are fetched from here
    from fsar.config import SourcesConfig

log = logging.getLogger(__name__)

CHUNK = 1 << 18  # bytes
# Required first bytes, by suffix: some servers send an error page with status 200.
SIGNATURES = {"archive": (RAR, ZIP), ".gz": (b"\x1f\x8b",)}
AS_IT_IS = {"Accept-Encoding": "identity"}
OTHER_WAYS = "A mirror, or a folder where the files are already, can be named in the config (section sources)."


@dataclass(frozen=True)
class Patience:
    """How often and how long to try.

    Attributes:
        retries: attempts in a row without a single byte before giving up.
        pause: seconds before the second attempt; doubles with each further one.
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
        """Return the values of the config's section `sources`."""
        return cls(
            retries=sources.retries, pause=sources.pause, timeout=sources.timeout, rate_limit=sources.rate_limit * 1e6
        )


class RefusedError(Exception):
    """A URL does not give the file, with the reason; another attempt would not help."""


class _BrokenError(Exception):
    """An attempt failed but may succeed later; `wait` is the pause that the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


# Checks a complete download; raises UserError if it is damaged or the wrong file.
Check = Callable[[Path], None]


def fetch(places: Sequence[Place], path: Path, patience: Patience | None = None, check: Check | None = None) -> None:
    """Download a file from the first URL that gives it, resuming earlier attempts.

    `{path}.record.json` records the URL, size and checksum. A URL without a known checksum must
    give the file of the record, if that has the same name and passed the same check.

    Args:
        places: its URLs, in order. One without a checksum may give any file of the right kind.
        path: of the file, which appears only when complete and checked.
        patience: how often and how long to try each URL.
        check: of the download; if it fails, the next URL is tried.

    Raises:
        UserError: no URL gives it, with the reason for each, or it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for number, place in enumerate(places, 1):
        try:
            _download(place, path, patience or Patience(), check)
        except RefusedError as error:
            reasons.append(f"{place.url} {error}")
            if number < len(places):
                log.warning("%s; the next place is %s", reasons[-1], places[number].url)
        else:
            return
    if len(reasons) == 1:
        raise UserError(f"{reasons[0]}. {OTHER_WAYS}")
    raise UserError(
        f"{path} cannot be fetched from any of its {len(reasons)} places. {OTHER_WAYS}\n"
        + "\n".join(f"  - {reason}" for reason in reasons)
    )


def _download(place: Place, path: Path, patience: Patience, check: Check | None) -> None:
    """Download a file from one URL.

    Raises:
        RefusedError: the server refuses, the connection stays broken, or the content is wrong.
        UserError: the file cannot be written.
    """
    # Each URL has its own part file, which is kept while another URL is tried.
    part = path.with_name(f"{path.name}.{hashlib.sha256(place.url.encode()).hexdigest()[:8]}.part")
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _attempt(place, part, patience)
            break
        except (_BrokenError, requests.RequestException) as error:
            reason = explained(error)
            gained = part.exists() and part.stat().st_size > before
            failures = 0 if gained else failures + 1
            if failures >= patience.retries:
                raise RefusedError(
                    f"could not be downloaded: {reason}. {failures} attempts in a row brought nothing; what is there "
                    "is kept, and the same command goes on with it"
                ) from None
            wait = min(
                max(patience.pause * 2 ** max(failures - 1, 0), getattr(error, "wait", 0.0)), patience.longest_pause
            )
            log.warning("%s: %s; trying again in %.1f s", place.url, reason, wait)
            time.sleep(wait)
        except OSError as error:
            raise UserError(f"{part} cannot be written: {error}; what is there is kept") from None
    _check(place, part, path, check)
    part.replace(path)
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.part*"):
        left.unlink()
    log.info("downloaded %s, %d bytes", place.url, path.stat().st_size)
    if place.url.startswith("http:") and place.sha256 is None:
        log.warning("%s came over http, and its checksum is not known: nobody vouches for what it holds", place.url)


def explained(error: Exception) -> str:
    """Return a short reason why an attempt failed.

    Raises:
        RefusedError: it would fail again; invalid certificates are never accepted.
    """
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        raise RefusedError(f"is not a URL: {error}") from None
    if invalid := re.search(r"certificate verify failed: ([^(]*)", str(error)):
        raise RefusedError(f"has no valid certificate ({invalid[1].strip()}), so nothing is taken from it") from None
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause = error.args[0] if error.args else error  # requests wraps what urllib3 says
    cause = getattr(cause, "reason", None) or cause
    told = cause.args[0] if isinstance(cause, Exception) and cause.args else cause
    return str(told).split("): ", 1)[-1]


def check_way(answer: requests.Response) -> None:
    """Check that a request over https was answered over https.

    Raises:
        RefusedError: a redirect led to http.
    """
    urls = [step.url for step in (*answer.history, answer)]
    if urls[0].startswith("https:") and not all(url.startswith("https:") for url in urls):
        raise RefusedError(f"leads from https to {urls[-1]}, where anybody could have changed the file")


def _about(part: Path) -> Path:
    """Return the path of the note on which version of the file a part belongs to."""
    return part.with_name(part.name + ".json")


def _attempt(place: Place, part: Path, patience: Patience) -> None:
    """Download the missing rest of a part.

    Raises:
        _BrokenError: it ended early, or the server asks to try later.
        RefusedError: the server refuses, or offers another file.
    """
    have, about = _begun(part)
    headers = AS_IT_IS | ({"Range": f"bytes={have}-", "If-Range": about["version"]} if have else {})
    with requests.get(place.url, headers=headers, stream=True, timeout=patience.timeout) as answer:
        check_way(answer)
        if answer.status_code == 416 and have and have == about.get("bytes"):
            return  # it was complete already
        if answer.status_code in (408, 425, 429) or answer.status_code >= 500 or answer.status_code == 416:
            if answer.status_code == 416:
                part.unlink(missing_ok=True)
            wait = answer.headers.get("Retry-After", "")
            raise _BrokenError(f"status {answer.status_code} {answer.reason}", float(wait) if wait.isdigit() else 0.0)
        if answer.status_code not in (200, 206):
            raise RefusedError(f"is refused by its server: {answer.status_code} {answer.reason}")
        resumed = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not resumed:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        if place.bytes and total and total != place.bytes:
            raise RefusedError(f"offers {total} bytes, but it must have {place.bytes}")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        # A weak ETag does not promise the same bytes.
        write_json(_about(part), {"version": "" if version.startswith("W/") else version, "bytes": total})
        with part.open("ab" if resumed else "wb") as file:
            _copy(answer, file, have, total, patience)
        size = part.stat().st_size
        if total is not None and size != total:
            raise _BrokenError(f"it ended after {size} of {total} bytes")


def _begun(part: Path) -> tuple[int, dict[str, Any]]:
    """Return how many bytes of the part can be kept, and what is known of its file."""
    try:
        about = json.loads(_about(part).read_text(encoding="utf-8"))
        # Without a version, the rest may belong to another file.
        return (part.stat().st_size, about) if about.get("version") else (0, {})
    except (OSError, ValueError):
        return 0, {}


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


def _check(place: Place, part: Path, path: Path, check: Check | None) -> None:
    """Check a complete download and record it; a wrong one is removed.

    Raises:
        RefusedError: it is not the right file.
        NotWritableError: the check cannot write its results; the download stays.
    """
    record = path.with_name(path.name + ".record.json")
    found = {"url": place.url, "bytes": part.stat().st_size, "sha256": sha256_of(part), "checked": check is not None}
    problem = _difference(place, part, path, found, record)
    if check is not None and not problem:
        try:
            check(part)
        except NotWritableError:
            raise
        except UserError as error:
            problem = f"gave a file that cannot be used: {error}"
    if problem:
        part.unlink()
        _about(part).unlink(missing_ok=True)
        raise RefusedError(problem)
    write_json(record, found)


def _difference(place: Place, part: Path, path: Path, found: dict[str, Any], record: Path) -> str:
    """Return how a complete download differs from the right file; empty if it does not."""
    for end, signatures in SIGNATURES.items():
        with part.open("rb") as file:
            start = file.read(max(map(len, signatures)))
        if path.name.endswith(end) and not start.startswith(signatures):
            kind = "RAR or zip archive" if end == "archive" else f"{end} file"
            return f"gave something that is not a {kind} (it begins with {start!r})"
    for fact, known in (("bytes", place.bytes), ("sha256", place.sha256)):
        if known is not None and found[fact] != known:
            return f"gave a file with the {fact} {found[fact]}, but it must be {known}"
    first = recorded(record) if place.sha256 is None else {}
    trusted = first.get("checked") or not found["checked"]  # an unchecked record may itself be of a damaged file
    if trusted and first and Place(first["url"]).file == place.file and first["sha256"] != found["sha256"]:
        return (
            f"gave another file than {first['url']} the first time: sha256 {found['sha256']}, where {record} has "
            f"{first['sha256']}. If the source was renewed, delete that record"
        )
    return ""


def recorded(record: Path) -> dict[str, Any]:
    """Return the record of an earlier download; empty if it is missing or damaged."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and {"url", "sha256", "bytes"} <= found.keys() else {}
