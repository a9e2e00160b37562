"""Which clips are meant: files, folders, or a CSV."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fsar.errors import UserError
from fsar.sources.inventory import VIDEO_SUFFIXES

# Clips as a user names them: a file, a folder or a CSV, or several of these.
Source = str | Path | Sequence[str | Path]
# Examples as a user gives them: the clips of each class, a folder with a sub-folder per class, or a CSV.
Examples = Mapping[str, Source] | str | Path


@dataclass(frozen=True)
class Clip:
    """A clip to look at.

    Attributes:
        path: of the file, as it was given.
        video_id: what the frames to look at are drawn by, as in the workflow's own tests: the id or the path that a CSV
            gives, or else the file's name, so that a clip keeps its numbers when it is moved.
    """

    path: Path
    video_id: str


def list_clips(source: Source) -> list[Clip]:
    """Return the clips that are meant: files as they are given, those of a folder at any depth, those of a CSV.

    Raises:
        UserError: a folder without a video, or a CSV that cannot be used. Files are looked at when they are read.
    """
    if not isinstance(source, str | Path):
        return [clip for part in source for clip in list_clips(part)]
    path = Path(source)
    if path.suffix.lower() == ".csv":
        return [clip for clip, _ in _read_csv(path, ("path",))]
    if path.is_dir():
        return _of_folder(path)
    return [Clip(path, path.name)]


def list_examples(source: Examples) -> dict[str, list[Clip]]:
    """Return the clips of each class, classes sorted by name where they come from files.

    Raises:
        UserError: no class, a class without a clip, or a CSV or folder that cannot be used.
    """
    if isinstance(source, Mapping):
        examples = {name: list_clips(clips) for name, clips in source.items()}
    elif (path := Path(source)).suffix.lower() == ".csv":
        examples = {}
        for clip, name in _read_csv(path, ("path", "class")):
            examples.setdefault(name, []).append(clip)
        examples = dict(sorted(examples.items()))
    elif path.is_dir():
        folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
        examples = {folder.name: _of_folder(folder) for folder in folders}
    else:
        raise UserError(f"There are no examples at {path}; give a folder with a sub-folder per class, or a CSV")
    empty = [name for name, clips in examples.items() if not clips]
    if empty:
        raise UserError(f"The class {empty[0]!r} has no example clip")
    if not examples:
        raise UserError(f"{source} names no class; give a folder with a sub-folder per class, or a CSV")
    return examples


def _of_folder(folder: Path) -> list[Clip]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
    if not found:
        raise UserError(
            f"There is no video below {folder}; those looked for end in {', '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return [Clip(path, path.name) for path in found]


def _read_csv(path: Path, columns: Iterable[str]) -> list[tuple[Clip, str]]:
    """Read a CSV of clips, with their classes if it names them; further columns are ignored."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in columns if name not in (reader.fieldnames or [])]
            if missing:
                raise UserError(f"{path} has no column {missing[0]!r}; its first line must name {', '.join(columns)}")
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise UserError(f"There is no list of clips at {path}") from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UserError(f"{path} cannot be read as a CSV in UTF-8: {error}") from None
    if not rows:
        raise UserError(f"{path} lists no clip")
    for line, row in rows:
        for name in columns:
            if not (row[name] or "").strip():
                raise UserError(f"{path}, line {line}: {name} is empty")
    return [
        (Clip(path.parent / row["path"], row.get("id") or row["path"]), (row.get("class") or "").strip())
        for _, row in rows
    ]
