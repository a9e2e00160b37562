"""Something-Something V2: it requires registration, so the user puts its files into a folder. They are checked here."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from fsar.benchmarks.data_sets import SOMETHING
from fsar.errors import UserError
from fsar.sources.archives.tars import Joined, extract_tar
from fsar.sources.data_set import Files, by_stem
from fsar.sources.inventory import write_inventory
from fsar.sources.is_video import is_usual
from fsar.sources.split_lists import Entry
from fsar.sources.walk import Walk

PART = re.compile(r"20bn-something-something-v2-(\d\d)(\.zip)?")
# The names of the annotations in the two releases.
ANNOTATIONS = (
    ("something-something-v2-train.json", "train.json"),
    ("something-something-v2-validation.json", "validation.json"),
)

WHAT_TO_PUT = """Something-Something V2 is behind a registration, so it cannot be downloaded for you:
  1. Register and download it (https://www.qualcomm.com/developer/software/something-something-v-2-dataset).
  2. Put these files into one folder:
       20bn-something-something-v2-00, -01, … (all parts, or the .zip files that hold them; or the unpacked .webm files)
       labels/something-something-v2-train.json and labels/something-something-v2-validation.json
       (or labels/train.json and labels/validation.json)
  3. Name the folder in the config: sources.ssv2.folder"""


def annotation_files(folder: Path) -> list[Path]:
    """Return the two annotation files below a folder.

    Raises:
        UserError: they are missing; says which files to put where.
    """
    found = []
    for names in ANNOTATIONS:
        candidates = [place / name for name in names for place in (folder / "labels", folder)]
        present = [path for path in candidates if path.is_file()]
        if not present:
            raise UserError(f"There is no {' or '.join(names)} in {folder or 'the folder'}.\n{WHAT_TO_PUT}")
        found.append(present[0])
    return found


def archive_parts(folder: Path) -> list[Path]:
    """Return the parts of the archive in their order; none if the videos are unpacked already.

    Raises:
        UserError: parts and videos are missing, or one part is.
    """
    parts = {int(match[1]): path for path in sorted(folder.glob("*")) if (match := PART.fullmatch(path.name))}
    if not parts:
        if not has_videos(folder):
            raise UserError(f"There is no part of the archive and no video in {folder}.\n{WHAT_TO_PUT}")
        return []
    if missing := set(range(max(parts) + 1)) - set(parts):
        raise UserError(f"{folder} lacks the part 20bn-something-something-v2-{min(missing):02d}.\n{WHAT_TO_PUT}")
    return [parts[number] for number in sorted(parts)]


def has_videos(folder: Path) -> bool:
    """Tell whether unpacked videos lie below a folder."""
    return any(is_usual(entry.name) for _, entry in Walk(folder))


def unpack(parts: list[Path], entries: Iterable[Entry], folder: Path, inventory: Path) -> None:
    """Unpack the listed videos from the parts, which together are one archive, to `{folder}/{id}.webm`.

    Raises:
        UserError: the archive is damaged or incomplete, or holds none of the videos.
    """
    wanted = {entry.file for entry in entries}

    def target(member: str) -> Path | None:
        match = re.fullmatch(r"(\d+)\.webm", member.rsplit("/", 1)[-1])
        return folder / match[0] if match and match[1] in wanted else None

    size = sum(part.stat().st_size for part in parts)
    name = f"the archive in {parts[0].parent}"
    videos = [path for _, path in extract_tar(Joined(parts), size, target, name)]
    if not videos:
        raise UserError(f"The archive in {parts[0].parent} holds none of the {len(wanted)} videos of the split lists")
    write_inventory(videos, inventory)


def templates(annotations: Iterable[Path]) -> dict[str, str]:
    """Return the class of each video id: a template such as `Closing [something]`.

    Raises:
        UserError: a file is not an annotation.
    """
    classes = {}
    for path in annotations:
        try:
            for entry in json.loads(path.read_text(encoding="utf-8")):
                classes[str(entry["id"])] = str(entry["template"])
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path} is not an annotation file of Something-Something V2: {error!r}") from None
    return classes


FILES = Files(SOMETHING, find=by_stem, annotations=annotation_files, templates=templates)
