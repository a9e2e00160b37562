"""What places answer when they are asked for the size of a file, before days of downloads."""

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import requests

from fsar.errors import UserError
from fsar.sources.download import AS_IT_IS, OTHER_WAYS, RefusedError, check_way, explained
from fsar.sources.places import Place

log = logging.getLogger(__name__)

AT_A_TIME = 8  # places


@dataclass(frozen=True)
class Answer:
    """What a place says of its file.

    Attributes:
        bytes: the size of the file, where it tells it.
        problem: why the file cannot be had from there; empty where it can.
    """

    bytes: int | None
    problem: str = ""


def ask(place: Place, timeout: float) -> Answer:
    """Ask a place for the size of its file, once.

    Args:
        place: whom to ask.
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
    # Some servers refuse HEAD alone: the first byte is asked for, and what else they send is not read.
    headers = AS_IT_IS | {"Range": "bytes=0-0"}
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        if not answer.ok:
            raise RefusedError(f"is refused by its server: {answer.status_code} {answer.reason}")
        return _size(answer)


def _size(answer: requests.Response) -> int | None:
    """Return the size of the whole file that an answer tells.

    Raises:
        RefusedError: it is a web page, or came another way than it was asked for.
    """
    check_way(answer)
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise RefusedError("answers with a web page")
    whole = answer.headers.get("Content-Length", "")
    if answer.status_code == 206:
        whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(whole) if whole.isdigit() else None


def answers(files: Mapping[str, Sequence[Place]], timeout: float) -> pd.DataFrame:
    """Ask the places of all files that are not there yet.

    Args:
        files: path → places in order.
        timeout: seconds to wait for each answer.

    Returns:
        file; used, whether it would be fetched from this place; bytes, where they are told; answer; place: a row for
        each place of each file, or one for a file that is there.
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
    return pd.DataFrame(rows, columns=["file", "used", "bytes", "answer", "place"]).astype({"bytes": "Int64"})


def _recorded_place(path: str) -> str:
    try:
        return str(json.loads(Path(f"{path}.record.json").read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError):
        return ""


def show(table: pd.DataFrame) -> None:
    """Print what places answer, and write it to the log."""
    sizes = [f"{size:,}" if pd.notna(size) else "" for size in table["bytes"]]
    rows = [list(table), *table.assign(bytes=sizes).itertuples(index=False)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    text = "\n".join(lines) if len(table) else "This run fetches no file."
    print(text, flush=True)
    log.info("places:\n%s", text)


def check_answers(table: pd.DataFrame) -> None:
    """Check that every file can be fetched.

    Raises:
        UserError: no place of a file answers, naming all such files.
    """
    can_be = set(table.loc[(table["used"] == "yes") | (table["answer"] == "is there already"), "file"])
    if missing := [file for file in dict.fromkeys(table["file"]) if file not in can_be]:
        raise UserError(f"No place gives {', '.join(missing)}: the table above has the reasons. {OTHER_WAYS}")
