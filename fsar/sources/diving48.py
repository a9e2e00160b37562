"""Diving48: its videos and lists are put into a folder by the user. Classes are divided as by TAMT: class number mod 8.

Version 1 is one list of both official parts, with labels that its makers later corrected; version 2 has these
corrections, in the two files that its makers give out.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from fsar.benchmarks.data_sets import DIVING48
from fsar.csv_rows import read_rows
from fsar.errors import UserError
from fsar.sources.data_set import Files, by_stem
from fsar.sources.split_lists import Entry

LISTS = {
    "diving48": ("diving48_v1.csv",),
    "diving48_v2": ("Diving48_V2_train.json", "Diving48_V2_test.json"),
}
# The names of the classes: the makers' own file, or the same as a CSV.
VOCABULARY, CLASSES = "Diving48_vocab.json", "diving48_classes.csv"
# By the class number mod 8; all others are training classes.
SPLIT_OF = {1: "val", 7: "test"}
POSITIONS = {"STR": "straight", "PIKE": "pike", "TUCK": "tuck", "FREE": "free"}

WHAT_TO_PUT = """Diving48 cannot be downloaded for you:
  1. Get it from its makers (http://www.svcl.ucsd.edu/projects/resound/dataset.html), and unpack its videos.
  2. Put into one folder, or into labels/ in it:
       for the benchmark diving48: diving48_v1.csv (columns video and class_id)
       for the benchmark diving48_v2: Diving48_V2_train.json and Diving48_V2_test.json
       for both: Diving48_vocab.json (or diving48_classes.csv: class_id, takeoff, somersaults, twists, position)
     and the videos at any depth, as VNvb5oLOpLg_00000.mp4
  3. Name the folder in the config: sources.diving48.folder"""


def list_files(benchmark: str, folder: Path) -> list[Path]:
    """Return the files that list a benchmark's videos; raises UserError if one is missing, with what to put where."""
    return [_file(folder, name) for name in LISTS[benchmark]]


def class_files(folder: Path) -> list[Path]:
    """Return the file that names the classes; raises UserError if there is none."""
    return [_file(folder, VOCABULARY, CLASSES)]


def _file(folder: Path, *names: str) -> Path:
    for path in (place / name for name in names for place in (folder / "labels", folder)):
        if path.is_file():
            return path
    raise UserError(f"There is no {' or '.join(names)} in {folder}.\n{WHAT_TO_PUT}")


def entries(lists: Sequence[Path]) -> list[Entry]:
    """Read the lists of a version, both official parts together.

    Raises:
        UserError: a file is no such list.
    """
    videos = [video for path in lists for video in (_of_csv(path) if path.suffix == ".csv" else _of_json(path))]
    return [Entry(name, SPLIT_OF.get(number % 8, "train"), number) for name, number in videos]


def _of_csv(path: Path) -> list[tuple[str, int]]:
    rows = read_rows(path, ("video", "class_id"), what="list of videos", key="sources.diving48.folder")
    return [(row.values["video"].strip(), _number(path, row.values["class_id"])) for row in rows]


def _of_json(path: Path) -> list[tuple[str, int]]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        return [(str(own["vid_name"]), _number(path, own["label"])) for own in listed]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no list of Diving48's videos (vid_name and label of each): {error!r}") from None


def _number(path: Path, text: object) -> int:
    if not re.fullmatch(r"\s*\d+\s*", str(text)) or not 0 <= int(str(text)) < 48:
        raise UserError(f"{path}: the class {text!r} is none of the 48, which are numbered from 0")
    return int(str(text))


def class_names(files: Iterable[Path]) -> dict[str, str]:
    """Return the name of each class by its number, such as `back, 1.5 somersaults, 0.5 twists, free`.

    Raises:
        UserError: a file does not name the classes.
    """
    names: dict[str, str] = {}
    for path in files:
        if path.suffix == ".csv":
            columns = ("class_id", "takeoff", "somersaults", "twists", "position")
            rows = read_rows(path, columns, what="list of classes", key="sources.diving48.folder")
            parts = {row.values["class_id"].strip(): [row.values[name] for name in columns[1:]] for row in rows}
        else:
            try:
                parts = {
                    str(n): [str(part) for part in own] for n, own in enumerate(json.loads(path.read_text("utf-8")))
                }
            except (ValueError, TypeError) as error:
                raise UserError(f"{path} is no vocabulary of Diving48: {error!r}") from None
        for number, own in parts.items():
            if len(own) != 4:
                raise UserError(
                    f"{path}: class {number} has {len(own)} parts; takeoff, somersaults, twists and position"
                )
            names[number] = class_name(*own)
    return names


def class_name(takeoff: str, somersaults: str, twists: str, position: str) -> str:
    """Return a class in words: Back, 15som, 05Twis, FREE → back, 1.5 somersaults, 0.5 twists, free."""
    turns = "dive" if somersaults == "Dive" else _count(somersaults.removesuffix("som"), "somersault")
    twist = "no twist" if twists == "NoTwis" else _count(twists.removesuffix("Twis"), "twist")
    return ", ".join((takeoff.lower(), turns, twist, POSITIONS.get(position, position.lower())))


def _count(digits: str, what: str) -> str:
    """Return a number of turns: 15 is one and a half, 05 a half, and 2 two."""
    number = f"{digits[0]}.{digits[1]}" if len(digits) == 2 else digits
    return f"{number} {what}{'' if number == '1' else 's'}"


def group(entry: Entry) -> str:
    """Return the recording of a clip: `VNvb5oLOpLg_00003` is the fourth of `VNvb5oLOpLg`."""
    return entry.file.rsplit("_", 1)[0]


FILES = Files(
    DIVING48,
    find=by_stem,
    lists=list_files,
    entries=entries,
    annotations=class_files,
    templates=class_names,
    annotated=lambda entry: str(entry.class_number),
    group=group,
)
