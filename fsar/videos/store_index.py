"""Joins the indexes of all shards into one, which later stages read."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fsar.errors import UserError
from fsar.files import read_parquet, write_checksums, write_parquet
from fsar.lists import lines_of
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.videos.shards import INDEX_SCHEMA

log = logging.getLogger(__name__)


def gather_index(manifest: Path, indexes: Sequence[Path], max_failed: float, path: Path) -> pd.DataFrame:
    """Join the shards' indexes into one, in the order of the manifest.

    Args:
        manifest: the benchmark's manifest.
        indexes: the index of every shard.
        max_failed: greatest share of videos that may fail, 0 to 1.
        path: Parquet file to write.

    Raises:
        UserError: more videos failed; lists them. The shards stay, so only repaired videos are decoded again. Or the
            shards lack videos that were added to the manifest during the run.
    """
    videos = read_parquet(manifest, MANIFEST_SCHEMA, ["video_id", "path"])
    index = pd.concat([read_parquet(part, INDEX_SCHEMA) for part in indexes], ignore_index=True)
    index = videos.merge(index, on="video_id", how="left", validate="one_to_one")
    unknown = index[index["status"].isna()]
    if len(unknown):
        raise UserError(
            f"{len(unknown)} videos, such as {unknown['path'].iloc[0]}, came while this run was under way, and are in "
            "no shard yet. Run the same command again: it decodes their shards."
        )
    failed = index[index["status"] != "ok"]
    if len(failed) > max_failed * len(index):
        raise UserError(
            f"{len(failed)} of {len(index)} videos cannot be decoded, "
            f"more than frames.max_failed = {max_failed:g} allows:\n"
            + lines_of([f"{row.path}: {row.error}" for row in failed.itertuples()])
            + "\nMend the files and run the same command again (only their shards are decoded), take them out of the "
            "list of videos, or raise frames.max_failed to run without them."
        )
    if len(failed):
        log.warning("%d of %d videos cannot be decoded and are left out", len(failed), len(index))
    damaged = index[index["lost_frames"] > 0]
    if len(damaged):
        lost = damaged["lost_frames"].sum()
        log.warning("%d of %d videos are damaged, and stored without %d frames", len(damaged), len(index), lost)
    write_parquet(path, index, INDEX_SCHEMA)
    write_checksums([path], path.with_suffix(".sha256"))
    return index
