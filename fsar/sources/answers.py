"""Asks URLs for the size of their file, to check before days of downloads."""

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import requests

from fsar.errors import UserError
from fsar.job import progress
from fsar.sources.download import AS_IT_IS, OTHER_WAYS, Patience, RefusedError, check_way, explained, fetch
from fsar.sources.kinetics import archive_places, archive_urls
from fsar.sources.places import Place

log = logging.getLogger(__name__)

AT_A_TIME = 8  # URLs
COLUMNS = ["file", "used", "bytes", "answer", "place"]


@dataclass(frozen=True)
class Answer:
    """The answer of a URL about its file.

    Attributes:
        bytes: the size of the file, if stated.
        problem: why the file is not available there; empty if it is.
    """

    bytes: int | None
    problem: str = ""


def ask(place: Place, timeout: float) -> Answer:
    """Ask a URL for the size of its file, once.

    Args:
        place: the URL.
        timeout: seconds to wait for an answer.
    """
    try:
        size = _told_size(place.url, timeout)
    except RefusedError as error:
        return Answer(None, str(error))
    except requests.RequestException as error:
        try:
            return Answer(None, explained(error))
        except RefusedError as final:
            return Answer(None, str(final))
    if place.bytes and size and size != place.bytes:
        return Answer(size, f"must have {place.bytes} bytes")
    return Answer(size)


def _told_size(url: str, timeout: float) -> int | None:
    with requests.head(url, headers=AS_IT_IS, allow_redirects=True, timeout=timeout) as answer:
        if answer.ok:
            return _size(answer)
    # Some servers refuse only HEAD: ask for the first byte, and read no more than that.
    headers = AS_IT_IS | {"Range": "bytes=0-0"}
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        if not answer.ok:
            raise RefusedError(f"is refused by its server: {answer.status_code} {answer.reason}")
        return _size(answer)


def _size(answer: requests.Response) -> int | None:
    """Return the size of the whole file that an answer states.

    Raises:
        RefusedError: it is a web page, or was redirected from https to http.
    """
    check_way(answer)
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise RefusedError("answers with a web page")
    whole = answer.headers.get("Content-Length", "")
    if answer.status_code == 206:
        whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(whole) if whole.isdigit() else None


def answers(files: Mapping[str, Sequence[Place]], timeout: float) -> pd.DataFrame:
    """Ask the URLs of all files that are missing.

    Args:
        files: path → places in order.
        timeout: seconds to wait for each answer.

    Returns:
        file; used, whether it would be downloaded from here; bytes, if stated; answer; place: a row for
        each URL of each file, or one for a file that exists.
    """
    asked = {path: places for path, places in files.items() if not Path(path).exists()}
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        told = {path: list(pool.map(lambda place: ask(place, timeout), places)) for path, places in asked.items()}
    rows: list[tuple[str, str, int | None, str, str]] = []
    for path, places in files.items():
        if path not in told:
            rows.append((path, "", Path(path).stat().st_size, "is there already", _recorded_place(path)))
            continue
        first = next((place for place, answer in zip(places, told[path], strict=True) if not answer.problem), None)
        for place, answer in zip(places, told[path], strict=True):
            used = "yes" if place is first else ""
            rows.append((path, used, answer.bytes, answer.problem or "answers", place.url))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"bytes": "Int64"})


def answers_of_archives(
    lists: Mapping[str, Sequence[Place]], folders: Sequence[Place], patience: Patience
) -> pd.DataFrame:
    """Ask for each of the archives in lists; all of them are needed.

    If a folder lacks the first archive, it is not asked for the others.

    Args:
        lists: path → URLs in order, from which a missing list is read.
        folders: the URLs of the data set.
        patience: for reading the lists; each archive is asked for once.

    Returns:
        As `answers`, with a row for each folder: bytes of all its archives together; used if there is a
        URL for every archive and this folder would give some.

    Raises:
        UserError: a list is not available.
    """
    archives = [archive_places(url, folders) for url in _listed(lists, patience)]
    dead = {place.folder: answer for place in archives[0] if (answer := ask(place, patience.timeout)).problem}

    def ask_all(places: list[Place]) -> list[Answer]:
        return [dead.get(place.folder) or ask(place, patience.timeout) for place in places]

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        told = list(progress(pool.map(ask_all, archives), "asking", "archive", total=len(archives)))
    lost = any(all(answer.problem for answer in own) for own in told)
    found: dict[str, list[tuple[Answer, bool]]] = {}
    for places, own in zip(archives, told, strict=True):
        first = next((place for place, answer in zip(places, own, strict=True) if not answer.problem), None)
        for place, answer in zip(places, own, strict=True):
            found.setdefault(place.folder, []).append((answer, place is first))
    rows = []
    for folder, given in found.items():
        problems = [answer.problem for answer, _ in given if answer.problem]
        used = "yes" if not lost and any(first for _, first in given) else ""
        size = sum(answer.bytes or 0 for answer, _ in given if not answer.problem)
        said = f"{len(problems)} of {len(given)} are not there: {problems[0]}" if problems else "answers"
        rows.append((f"all {len(archives)} archives", used, size, said, folder))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"bytes": "Int64"})


def _listed(lists: Mapping[str, Sequence[Place]], patience: Patience) -> list[str]:
    with TemporaryDirectory() as temporary:
        read = []
        for path, places in lists.items():
            read.append(Path(path) if Path(path).exists() else Path(temporary) / Path(path).name)
            if not read[-1].exists():
                fetch(places, read[-1], patience)
        return archive_urls(read)


def _recorded_place(path: str) -> str:
    try:
        return str(json.loads(Path(f"{path}.record.json").read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return ""


def show(table: pd.DataFrame) -> None:
    """Print the answers, and write them to the log."""
    sizes = [f"{size:,}" if pd.notna(size) else "" for size in table["bytes"]]
    rows = [list(table), *table.assign(bytes=sizes).itertuples(index=False)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    text = "\n".join(lines) if len(table) else "This run fetches no file."
    print(text, flush=True)
    log.info("places:\n%s", text)


def check_answers(table: pd.DataFrame) -> None:
    """Check that every file is available.

    Raises:
        UserError: no URL of a file works; names all such files.
    """
    can_be = set(table.loc[(table["used"] == "yes") | (table["answer"] == "is there already"), "file"])
    if missing := [file for file in dict.fromkeys(table["file"]) if file not in can_be]:
        raise UserError(f"No place gives {', '.join(missing)}: the table above has the reasons. {OTHER_WAYS}")
