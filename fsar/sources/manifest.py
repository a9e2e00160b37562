"""The manifest: every video of a benchmark with its class and split. After it no code knows a benchmark's name."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fsar.config import SPLITS
from fsar.errors import UserError
from fsar.files import from_working_directory, write_parquet

SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),  # unique in the benchmark: the id its list gives, or the path as it is listed
        ("path", pa.string()),  # relative to the working directory where it lies below it, absolute elsewhere
        ("class_name", pa.string()),  # as written in prompts
        ("split", pa.string()),  # train, val or test
        ("source", pa.string()),  # the list that named the video
    ]
)

COLUMNS = ("path", "class", "split")
MAX_SHOWN = 5


def read_listing(listing: Path) -> pd.DataFrame:
    """Read a CSV of videos with the columns path, class and split, and perhaps id; further columns are ignored.

    Returns:
        The rows with the columns of `SCHEMA`, in the order of the CSV.

    Raises:
        UserError: the file is missing, not text, lacks a column, or has an empty value or an unknown split; the
            message names the line.
    """
    try:
        with listing.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
            if missing:
                raise UserError(
                    f"{listing} has no column {', '.join(repr(c) for c in missing)}; its first line must name "
                    f"the columns {', '.join(COLUMNS)}, and it names {', '.join(reader.fieldnames or []) or 'nothing'}"
                )
            rows = [(reader.line_num, row["path"], row["class"], row["split"], row.get("id")) for row in reader]
    except FileNotFoundError:
        raise UserError(f"There is no list of videos at {listing} (key benchmarks.….source.file)") from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UserError(f"{listing} cannot be read as a CSV in UTF-8: {error}") from None

    problems = []
    for line, path, class_name, split, _ in rows:
        for column, value in zip(COLUMNS, (path, class_name, split), strict=True):
            if value is None or not value.strip():
                problems.append(f"line {line}: {column} is empty")
        if split is not None and split.strip() and split.strip() not in SPLITS:
            problems.append(f"line {line}: split is {split!r}; valid are {', '.join(SPLITS)}")
    if not rows:
        problems.append("it lists no video")
    _raise(listing, problems)
    return pd.DataFrame(
        {
            "video_id": [row[4] or row[1] for row in rows],
            "path": [from_working_directory(listing.parent / row[1]) for row in rows],
            "class_name": [row[2].strip() for row in rows],
            "split": [row[3].strip() for row in rows],
            "source": str(listing),
        }
    )


def read_listings(listings: Iterable[Path]) -> pd.DataFrame:
    """Read several lists of one benchmark and check them together.

    Raises:
        UserError: as `read_listing`, or a video listed twice, or a class in two splits.
    """
    listings = list(listings)
    manifest = pd.concat([read_listing(listing) for listing in listings], ignore_index=True)
    problems = []
    repeated = Counter(manifest["path"]) if manifest["path"].duplicated().any() else Counter(manifest["video_id"])
    problems += [f"the video {path!r} is listed {n} times" for path, n in repeated.items() if n > 1]
    splits_of = manifest.groupby("class_name", sort=True)["split"].unique()
    problems += [
        f"the class {name!r} is in the splits {' and '.join(sorted(splits))}; few-shot splits share no class"
        for name, splits in splits_of.items()
        if len(splits) > 1
    ]
    _raise(listings[0] if len(listings) == 1 else listings[0].parent, problems)
    return manifest


def write_manifest(listings: Iterable[Path], path: Path) -> pd.DataFrame:
    """Read the lists of a benchmark and write its manifest, sorted by split, class and video."""
    manifest = read_listings(listings).sort_values(["split", "class_name", "video_id"], ignore_index=True)
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
        shown = problems[:MAX_SHOWN]
        more = [f"… and {len(problems) - len(shown)} more"] if len(problems) > len(shown) else []
        raise UserError(f"{place} cannot be used:\n" + "\n".join(f"  - {problem}" for problem in shown + more))
