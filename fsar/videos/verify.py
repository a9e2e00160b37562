"""Compares sources, shards and indexes with the checksums recorded when they were made."""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from fsar.config import FramesConfig
from fsar.errors import UserError
from fsar.files import on_disk, read_checksums, read_parquet, sha256_of
from fsar.job import progress
from fsar.sources.download import recorded
from fsar.sources.schemas import INVENTORY_SCHEMA, MANIFEST_SCHEMA
from fsar.videos.store_index import gather_index
from fsar.videos.store_write import write_shard

log = logging.getLogger(__name__)

FOLDER_INVENTORY = "folder.parquet"  # of a folder that the user has filled


def verify(data: Path, frames: Mapping[str, FramesConfig]) -> None:
    """Check everything, rebuild damaged shards and indexes, and name what stays damaged.

    A rebuilt file that equals its record also gets its old time, so nothing made from it is recomputed.

    Args:
        data: the folder of sources and benchmarks.
        frames: how the frames of each benchmark are stored.

    Raises:
        UserError: something stays damaged; lists it, with what to do.
    """
    problems = [*_damaged_sources(data / "sources")]
    for benchmark, config in frames.items():
        problems += _damaged_frames(data / benchmark, config)
    if problems:
        raise UserError("Damaged files:\n" + "\n".join(f"  - {problem}" for problem in problems))
    log.warning("Every file is as it was recorded.")  # shown on the terminal too


def _damaged_sources(sources: Path) -> Iterator[str]:
    """Check downloaded archives that are still there, and the videos of every inventory."""
    for record in progress(sorted(sources.rglob("*.record.json")), "checking downloads", "file"):
        file = record.with_name(record.name.removesuffix(".record.json"))
        if file.exists():
            about = recorded(record)
            if not about:
                yield f"{record} cannot be read; delete it and {file}, and that is fetched again"
            elif file.stat().st_size != about["bytes"] or sha256_of(file) != about["sha256"]:
                yield f"{file} is not what was downloaded; delete it, and it is fetched again"
    for inventory in sorted(sources.glob("*/*.parquet")):
        listed = read_parquet(inventory, INVENTORY_SCHEMA, ["path", "bytes"])
        for path, size in progress(zip(listed["path"], listed["bytes"], strict=True), "checking videos", "video"):
            file = Path(on_disk(path))
            there = file.stat() if file.is_file() else None
            way_out = (
                f"put it back, or delete {inventory}, and the folder is listed as it is"
                if inventory.name == FOLDER_INVENTORY
                else f"delete {inventory}, and it is unpacked or fetched again"
            )
            if there is None:
                yield f"{path} is gone; {way_out}"
            elif there.st_size != size and there.st_mtime_ns <= inventory.stat().st_mtime_ns:  # newer: repaired
                yield f"{path} has {there.st_size} bytes instead of {size}; {way_out}"


def _damaged_frames(benchmark: Path, config: FramesConfig) -> Iterator[str]:
    manifest, folder = benchmark / "manifest.parquet", benchmark / "frames"
    for record in progress(sorted(folder.glob("*.sha256")), f"checking {benchmark.name}", "file"):
        expected = read_checksums(record)
        damaged = [file for file, checksum in expected.items() if not file.exists() or sha256_of(file) != checksum]
        if not damaged:
            continue
        names = ", ".join(map(str, damaged))
        log.warning("%s: damaged, building again", names)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".verify-") as temporary:
            new = Path(temporary)
            if shard := re.fullmatch(r"shard-(\d+)", record.stem):
                write_shard(
                    read_parquet(manifest, MANIFEST_SCHEMA),
                    int(shard[1]),
                    config,
                    new / f"{record.stem}.arrow",
                    new / f"{record.stem}.parquet",
                )
            else:
                indexes = [path.with_suffix(".parquet") for path in sorted(folder.glob("shard-*.sha256"))]
                gather_index(manifest, indexes, 1.0, new / "index.parquet")
            if all(sha256_of(new / file.name) == checksum for file, checksum in expected.items()):
                for file in damaged:
                    made = record.stat().st_mtime_ns
                    os.utime(new / file.name, ns=(made, made))
                    shutil.move(new / file.name, file)
                log.warning("%s: built again, the same as before", names)
            else:
                yield (
                    f"{names}: built again it is not the same (other videos or another decoder); delete it, and "
                    "everything made from it is made again"
                )
