"""The manifest: every video of a benchmark with its class and split. Later code does not know a benchmark's name."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd

from fsar.benchmarks.splits import SPLITS
from fsar.class_names import hardly_different, one_spelling
from fsar.csv_rows import read_rows
from fsar.errors import UserError
from fsar.files import from_working_directory, named, readable, write_parquet
from fsar.lists import lines_of
from fsar.seal import check_beside
from fsar.sources.copies import Repeated, repeated_files
from fsar.sources.schemas import MANIFEST_SCHEMA as SCHEMA

log = logging.getLogger(__name__)

COLUMNS = ("path", "class", "split")
SHOWN = 5


def read_listing(listing: Path) -> pd.DataFrame:
    """Read a CSV of videos with the columns path, class, split and, optionally, id and group; others are ignored.

    Returns:
        The rows with the columns of `SCHEMA` and `line`, the line in the CSV, in its order.

    Raises:
        UserError: the file cannot be used (see `read_rows`), or has an empty value or an unknown split; the message
            names the line.
    """
    check_beside(listing)  # a list that the workflow has written
    rows = read_rows(listing, COLUMNS, ("id", "group"), what="list of videos", key="benchmarks.….source.file")
    problems = []
    for row in rows:
        problems += [f"line {row.line}: {name} is empty" for name in COLUMNS if not row.values[name].strip()]
        split = row.values["split"].strip()
        if split and split not in SPLITS:
            problems.append(f"line {row.line}: split is {split!r}; valid are {', '.join(SPLITS)}")
    if not rows:
        problems.append("it lists no video")
    _raise(listing, problems)
    return pd.DataFrame(
        {
            "video_id": [row.values["id"] or row.values["path"] for row in rows],
            "path": [readable(from_working_directory(named(str(listing.parent / row.values["path"])))) for row in rows],
            "class_name": [one_spelling(row.values["class"]) for row in rows],
            "split": [row.values["split"].strip() for row in rows],
            "source": readable(listing),
            "group": [row.values["group"].strip() for row in rows],
            "line": [row.line for row in rows],
        }
    )


def read_listings(listings: Iterable[Path], files: Literal["refuse", "warn", "leave"] = "refuse") -> pd.DataFrame:
    """Read several lists of one benchmark and check them together.

    Args:
        listings: CSVs.
        files: treatment of a file that is listed twice, by a link or as a copy in another split: refuse, or warn, as
            for a copy in the same split and for classes with nearly the same name. Or do not check.

    Raises:
        UserError: as `read_listing`, or a video listed twice, or a class in two splits.
    """
    listings = list(listings)
    place = listings[0] if len(listings) == 1 else listings[0].parent
    manifest = pd.concat([read_listing(listing) for listing in listings], ignore_index=True)
    splits_of = manifest.groupby("class_name", sort=True)["split"].unique()
    problems = _listed_twice(manifest)
    problems += [
        f"the class {name!r} is in the splits {' and '.join(sorted(splits))}; few-shot splits share no class"
        for name, splits in splits_of.items()
        if len(splits) > 1
    ]
    doubts = []
    if files != "leave" and not problems:
        pairs = repeated_files(manifest["path"])
        doubts += hardly_different(manifest["class_name"])
        doubts += [_named(manifest, pair) for pair in pairs if not _is_wrong(manifest, pair)]
        wrong = [_named(manifest, pair) for pair in pairs if _is_wrong(manifest, pair)]
        problems, doubts = (wrong, doubts) if files == "refuse" else ([], wrong + doubts)
    _raise(place, problems)
    if doubts:
        log.warning("%s:\n%s", readable(place), lines_of(doubts, SHOWN))
    return manifest


def _listed_twice(manifest: pd.DataFrame) -> list[str]:
    """Return a sentence for each path that is listed several times, or else for each such id."""
    column = "path" if manifest["path"].duplicated().any() else "video_id"
    repeated = manifest[manifest[column].duplicated(keep=False)]
    return [
        f"the video {name!r} is listed {len(own)} times (lines {', '.join(map(str, own['line']))})"
        for name, own in repeated.groupby(column, sort=False)
    ]


def _is_wrong(manifest: pd.DataFrame, pair: Repeated) -> bool:
    """Tell whether a repeated file is an error, and not just a copy within one split."""
    return not pair.is_copy or manifest["split"].iat[pair.first] != manifest["split"].iat[pair.other]


def _named(manifest: pd.DataFrame, pair: Repeated) -> str:
    first, other = (manifest.iloc[number] for number in (pair.first, pair.other))
    both = " and ".join(f"line {row['line']} ({row['path']}, {row['split']})" for row in (first, other))
    same = "have the same bytes" if pair.is_copy else "are one file"
    return f"{both} {same}" + ("; few-shot splits share no video" if first["split"] != other["split"] else "")


def write_manifest(
    listings: Iterable[Path], path: Path, files: Literal["refuse", "warn", "leave"] = "refuse"
) -> pd.DataFrame:
    """Read the lists of a benchmark (see `read_listings`) and write its manifest, sorted by split, class and video."""
    manifest = read_listings(listings, files).sort_values(["split", "class_name", "video_id"], ignore_index=True)
    write_parquet(path, manifest, SCHEMA)
    return manifest


def video_counts(manifest: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count the videos by split and class."""
    counts: dict[str, dict[str, int]] = {split: {} for split in SPLITS}
    for (split, class_name), group in manifest.groupby(["split", "class_name"]):
        counts[split][class_name] = len(group)
    return counts


def _raise(place: Path, problems: list[str]) -> None:
    if problems:
        raise UserError(f"{readable(place)} cannot be used:\n{lines_of(problems, SHOWN)}")
