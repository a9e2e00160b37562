"""Reading a user's CSV: its rows with their lines, or a sentence that says what is wrong with the file and where."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fsar.errors import UserError
from fsar.files import readable

BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
IN_UTF_8 = "save it as a CSV in UTF-8"


@dataclass(frozen=True)
class Row:
    """A row of a CSV.

    Attributes:
        line: in the file, from 1; of a row with line breaks in it, the last one.
        values: of its columns by their names; empty where the row is short.
    """

    line: int
    values: dict[str, str]


def read_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str] = (), *, what: str, key: str = ""
) -> list[Row]:
    """Read a CSV in UTF-8, with Excel's mark at its beginning or without.

    Args:
        path: of the file.
        columns: that its first line must name; further columns than these and the optional ones are ignored.
        optional: columns that are read where they are.
        what: it is, for messages: "list of videos".
        key: of the config that names it, if one does.

    Raises:
        UserError: the file cannot be read, is in another encoding, is separated by something else than commas, lacks a
            column or names one twice, has a quote that is not closed, a NUL, a row that is longer than the first line,
            or the first line again.
    """
    place = readable(path)
    text = _text(path, what, f" (key {key})" if key else "")
    _check_separator(place, text.lstrip("\r\n").splitlines()[:1], columns)
    (_, first), *rows = _split(place, text) or [(1, [])]
    header = [name.strip() for name in first]
    _check_header(place, header, columns, optional)
    found = []
    for line, row in rows:
        values = dict(zip(header, row, strict=False))
        if _is_header(row, header) or _is_header([values.get(name, "") for name in columns], columns):
            raise UserError(f"{place}, line {line}: the first line comes again; take it out")
        if any(value.strip() for value in row[len(header) :]):
            raise UserError(
                f"{place}, line {line}: it has {len(row)} values, and the first line names {len(header)} columns; put "
                "a value that holds a comma into double quotes"
            )
        found.append(Row(line, {name: values.get(name, "") for name in (*columns, *optional)}))
    return found


def _is_header(row: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether a row repeats names, in any order, as in files that were joined."""
    return sorted(value.strip(" \ufeff") for value in row) == sorted(names)


def _text(path: Path, what: str, key: str) -> str:
    place = readable(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no {what} at {place}{key}") from None
    except IsADirectoryError:
        raise UserError(f"{place} is a folder, and no {what}; name a CSV{key}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"The {what} {place} cannot be read: {getattr(error, 'strerror', '') or error}{key}") from None
    if encoding := BYTE_ORDER_MARKS.get(raw[:2]):
        raise UserError(f"{place} is in {encoding}; {IN_UTF_8}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line(raw[: error.start].decode())
        raise UserError(f"{place}, line {line}: byte 0x{raw[error.start]:02x} is not in UTF-8; {IN_UTF_8}") from None
    if "\0" in text:
        line = _line(text[: text.index("\0")])
        other = "; if the file is in UTF-16, " + IN_UTF_8 if line == 1 else ", which no name of a file can hold"
        raise UserError(f"{place}, line {line}: it holds a NUL character{other}")
    return text


def _line(before: str) -> int:
    return len(re.findall("\r\n|\r|\n", before)) + 1


def _check_separator(place: str, first: Sequence[str], columns: Sequence[str]) -> None:
    """Check that the first line is separated by commas."""
    for line in first:
        for separator, plural in SEPARATORS.items():
            names = {name.strip(' "') for name in line.split(separator)}
            if line.startswith(f"sep={separator}") or (len(names) > 1 and names >= {*columns}):
                raise UserError(f"{place} is separated by {plural}; separate its columns by commas")


def _split(place: str, text: str) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with the line it ends in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for row in reader:
            rows.append((reader.line_num, row))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{place}, line {begins}: a double quote is not closed, or one in a quoted value is not written twice "
            f"({error})"
        ) from None
    return [(line, row) for line, row in rows if row]


def _check_header(place: str, header: Sequence[str], columns: Sequence[str], optional: Sequence[str]) -> None:
    """Check that the first line names the columns, each once."""
    twice = [name for name, number in Counter(header).items() if number > 1 and name in (*columns, *optional)]
    if twice:
        raise UserError(f"{place}: its first line names the column {twice[0]!r} twice")
    if missing := [name for name in columns if name not in header]:
        raise UserError(
            f"{place} has no column {', '.join(map(repr, missing))}; its first line must name "
            f"{'the columns ' if len(columns) > 1 else ''}{', '.join(columns)}, and it names "
            f"{', '.join(filter(None, header)) or 'nothing'}"
        )
