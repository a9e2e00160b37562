"""Files: written so that a reader never sees half of one, and named so that every name can be written."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ESCAPED = re.compile(r"\\x[0-9a-f]{2}")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, remove it otherwise."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def from_working_directory(path: str | Path) -> str:
    """Name a file relative to the working directory where it lies below it, and absolutely elsewhere."""
    absolute = os.path.abspath(path)
    relative = os.path.relpath(absolute)
    return absolute if relative.startswith("..") else relative


def readable(path: str | Path) -> str:
    r"""Return the name of a file as text that can be written in UTF-8, whatever bytes the name is of.

    Each byte that is not UTF-8 becomes `\xNN`, in lower case; where a name has such a word itself, its backslash
    becomes `\x5c`. Other names stay as they are. `on_disk` goes back.
    """
    text = str(path)
    text = ESCAPED.sub(lambda match: f"\\x5c{match[0][1:]}", text) if "\\x" in text else text
    return text if text.isascii() else re.sub("[\ud800-\udfff]", lambda match: _escapes(match[0]), text)


def _escapes(surrogate: str) -> str:
    """Return the bytes that a surrogate stands for; those that stand for none are in no name that a system gives."""
    number = ord(surrogate) - 0xDC00
    raw = bytes([number]) if 0x80 <= number <= 0xFF else surrogate.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in raw)


def on_disk(text: str) -> str:
    r"""Return the name that a file has on the disk, for the system's calls, from what `readable` gave for it."""
    if "\\x" not in text:
        return text
    return re.sub(
        rf"(?:{ESCAPED.pattern})+",
        lambda match: bytes.fromhex(match[0].replace("\\x", "")).decode("utf-8", "surrogateescape"),
        text,
    )


def named(text: str) -> str:
    r"""Return the name on the disk of a file that a user names: as it is written, or as `readable` writes it.

    A file of exactly this name comes first.
    """
    return text if "\\x" not in text or os.path.lexists(text) else on_disk(text)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, so that equal values give equal files."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(files: Sequence[Path], path: Path) -> None:
    """Write the checksums of files that lie beside `path`, in the format of `sha256sum`."""
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{sha256_of(file)}  {file.name}\n" for file in files), encoding="utf-8")


def read_checksums(path: Path) -> dict[Path, str]:
    """Read a file of `write_checksums`: the checksum of each file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {path.with_name(line[66:]): line[:64] for line in lines}


def write_parquet(path: str | Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write `frame` as Parquet with exactly the columns and types of `schema`."""
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")
