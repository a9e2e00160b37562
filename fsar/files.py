"""Files: written so that a reader never sees half of one, and named so that every name can be written."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsar.disk import why_not_written
from fsar.errors import NotWritableError, UserError
from fsar.seal import OPEN, REMEDY, check_beside, seal, seal_beside, whole

if TYPE_CHECKING:  # half a second, for which who reads no table does not wait
    import pandas as pd
    import pyarrow as pa

ESCAPED = re.compile(r"\\x[0-9a-f]{2}")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, remove it otherwise.

    Raises:
        NotWritableError: the disk is full or may not be written to, or the folder is gone.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except UserError:
        raise
    except Exception as error:
        if told := why_not_written(error, path, temporary):
            raise NotWritableError(told) from error
        raise
    finally:
        with suppress(OSError):
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
        _dump(value, temporary)


def write_sealed_json(path: str | Path, value: dict[str, Any]) -> None:
    """Write `value` as `write_json` does, with a seal (`fsar.seal`) as one more key."""
    with atomic(path) as temporary:
        _dump(value | {"seal": OPEN}, temporary)
        seal(temporary)


def _dump(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(files: Sequence[Path], path: Path) -> None:
    """Write the checksums of files that lie beside `path`, in the format of `sha256sum`."""
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{sha256_of(file)}  {file.name}\n" for file in files), encoding="utf-8")


def read_checksums(path: Path) -> dict[Path, str]:
    """Read a file of `write_checksums`: the checksum of each file.

    Raises:
        UserError: it is damaged.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or not all(re.fullmatch(r"[0-9a-f]{64}  [^/\0]+", line) for line in lines):
        raise UserError(f"{path} is damaged. {REMEDY}.")
    return {path.with_name(line[66:]): line[:64] for line in lines}


@contextmanager
def atomic_csv(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path as `atomic` does, for a CSV that is read again: its checksum is written beside it."""
    with atomic(path) as temporary:
        yield temporary
    seal_beside(Path(path))


def read_csv(path: str | Path, **options: Any) -> "pd.DataFrame":
    """Read a CSV that was written by `atomic_csv`; options as of pandas.

    Raises:
        UserError: it is not there, is damaged, or is no CSV.
    """
    import pandas as pd

    check_beside(Path(path))
    try:
        table: pd.DataFrame = pd.read_csv(path, **options)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}. Run the command again that makes it.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a table ({error}). {REMEDY}.") from error
    return table


def write_parquet(path: str | Path, frame: "pd.DataFrame", schema: "pa.Schema") -> None:
    """Write `frame` as Parquet with exactly the columns and types of `schema`, and with a seal (`fsar.seal`)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata({"seal": OPEN}), temporary, compression="zstd")
        seal(temporary)


def read_parquet(path: str | Path, schema: "pa.Schema", columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Read what `write_parquet` has written.

    Args:
        path: of the file.
        schema: it was written with.
        columns: those wanted; None for all.

    Raises:
        UserError: it is not there, is damaged, or has other columns.
    """
    import pyarrow.parquet as pq

    with whole(path):
        if not pq.read_schema(path).equals(schema):
            raise UserError(f"{path} is another kind of file than is expected there. {REMEDY}.")
        return pq.read_table(path, columns=None if columns is None else list(columns)).to_pandas()


def read_json(path: str | Path, remedy: str = REMEDY) -> Any:
    """Read what `write_sealed_json` has written, without its seal; or a file without any.

    Raises:
        UserError: it is not there, is damaged, or is not JSON.
    """
    with whole(path, remedy, foreign=True):
        value = json.loads(Path(path).read_text(encoding="utf-8"))
        if isinstance(value, dict):
            value.pop("seal", None)
        return value
