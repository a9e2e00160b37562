"""The frame store: every video decoded once, its frames as JPEG in a fixed number of memory-mapped Arrow files.

A shard is an Arrow IPC file with one record batch per video, and a Parquet index with one row per video. A broken
video is a row with its error: it is never a crash, and never replaced by another video.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import simplejpeg
from numpy.typing import NDArray

from fsar.config import FramesConfig
from fsar.errors import UserError
from fsar.files import atomic, write_checksums, write_parquet
from fsar.job import progress
from fsar.videos.decode import VideoError, VideoFacts, decode
from fsar.videos.shards import shard_name, shard_of

log = logging.getLogger(__name__)

SHARD_SCHEMA = pa.schema(
    [
        ("position", pa.int32()),  # of the frame in its video, from 0
        ("jpeg", pa.binary()),
    ]
)
INDEX_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("shard", pa.int32()),  # number of the Arrow file
        ("row", pa.int32()),  # number of the record batch in it; −1 if the video is broken
        ("stored_frames", pa.int32()),
        ("source_frames", pa.int32()),  # frames decoded, which can differ from what the header claims
        ("fps", pa.float64()),  # frames per second; 0 if unknown
        ("width", pa.int32()),  # pixels, of the source
        ("height", pa.int32()),
        ("duration", pa.float64()),  # seconds; 0 if the rate is unknown
        ("bytes", pa.int64()),  # stored
        ("status", pa.string()),  # ok or failed
        ("error", pa.string()),  # why it failed, or empty
    ]
)
MAX_SHOWN = 10


def stored_positions(frames: int, keep: int) -> NDArray[np.int64]:
    """Return which frames of a video are stored: all if `keep` is 0 or above `frames`, else `keep` evenly spread."""
    if keep == 0 or frames <= keep:
        return np.arange(frames)
    return ((np.arange(keep) + 0.5) * frames / keep).astype(np.int64)


def _encode_video(path: str, config: FramesConfig) -> tuple[VideoFacts, list[bytes]]:
    """Decode a video and return its facts and one JPEG per frame."""
    frames = [
        (facts, simplejpeg.encode_jpeg(frame, quality=config.quality, colorsubsampling="420"))
        for facts, frame in decode(path, config.size, config.timeout)
    ]
    return frames[0][0], [jpeg for _, jpeg in frames]  # decode() raises if there is no frame


def write_shard(videos: pd.DataFrame, shard: int, config: FramesConfig, arrow: Path, index: Path) -> None:
    """Decode the videos of a shard.

    Args:
        videos: of the benchmark, with the columns video_id and path.
        shard: which shard, from 0.
        config: size, quality and number of stored frames.
        arrow: Arrow IPC file to write.
        index: Parquet file to write, a row per video, see `INDEX_SCHEMA`. The checksums of both files are written
            beside them, as `sha256sum` does.
    """
    videos = videos.sort_values("video_id")
    videos = videos[[shard_of(video_id, config.shards) == shard for video_id in videos["video_id"]]]
    rows = []
    stored = 0
    with atomic(arrow) as temporary:  # renamed only after the inner block has closed the file
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, SHARD_SCHEMA) as writer:
            pairs = zip(videos["video_id"], videos["path"], strict=True)
            for video_id, path in progress(pairs, "decoding", "video", total=len(videos)):
                row = dict.fromkeys(INDEX_SCHEMA.names, 0) | {"video_id": video_id, "shard": shard, "row": -1}
                try:
                    facts, jpegs = _encode_video(path, config)
                except VideoError as error:
                    log.warning("%s: %s", path, error)
                    rows.append(row | {"status": "failed", "error": str(error)})
                    continue
                positions = stored_positions(len(jpegs), config.keep)
                kept = [jpegs[i] for i in positions]
                columns = [pa.array(positions, pa.int32()), pa.array(kept, pa.binary())]
                writer.write_batch(pa.record_batch(columns, schema=SHARD_SCHEMA))
                rows.append(
                    row
                    | {
                        "row": stored,
                        "stored_frames": len(kept),
                        "source_frames": len(jpegs),
                        "fps": facts.fps,
                        "width": facts.width,
                        "height": facts.height,
                        "duration": len(jpegs) / facts.fps if facts.fps else 0.0,
                        "bytes": sum(map(len, kept)),
                        "status": "ok",
                        "error": "",
                    }
                )
                stored += 1
    write_parquet(index, pd.DataFrame(rows, columns=INDEX_SCHEMA.names), INDEX_SCHEMA)
    write_checksums([arrow, index], index.with_suffix(".sha256"))
    log.info("shard %d: %d of %d videos stored", shard, stored, len(videos))


def gather_index(manifest: Path, indexes: Sequence[Path], max_failed: float, path: Path) -> pd.DataFrame:
    """Gather the shards' indexes into one, in the manifest's order.

    Args:
        manifest: the benchmark's manifest.
        indexes: the index of every shard.
        max_failed: the share of videos that may have failed.
        path: Parquet file to write.

    Raises:
        UserError: more videos failed, with their list; the shards stay, so only what is mended is decoded again.
    """
    videos = pd.read_parquet(manifest, columns=["video_id", "path"])
    index = pd.concat([pd.read_parquet(part) for part in indexes], ignore_index=True)
    index = videos.merge(index, on="video_id", how="left", validate="one_to_one")
    failed = index[index["status"] != "ok"]
    if len(failed) > max_failed * len(index):
        shown = [f"  - {row.path}: {row.error}" for row in failed.head(MAX_SHOWN).itertuples()]
        more = [f"  … and {len(failed) - MAX_SHOWN} more"] if len(failed) > MAX_SHOWN else []
        raise UserError(
            f"{len(failed)} of {len(index)} videos cannot be decoded, "
            f"more than frames.max_failed = {max_failed:g} allows:\n"
            + "\n".join(shown + more)
            + "\nMend or remove them in the list of videos, or raise frames.max_failed to run without them."
        )
    if len(failed):
        log.warning("%d of %d videos cannot be decoded and are left out", len(failed), len(index))
    write_parquet(path, index, INDEX_SCHEMA)
    write_checksums([path], path.with_suffix(".sha256"))
    return index


class FrameStore:
    """Read access to the frames of a benchmark.

    Args:
        folder: where the shards lie.
        index: the gathered index.

    The Arrow files are memory-mapped on first use, in each process anew, so that a store can be handed to workers and
    none of them reads more than the frames it is asked for.
    """

    def __init__(self, folder: Path, index: Path):
        self.folder = folder
        columns = ["video_id", "shard", "row", "source_frames", "fps"]
        table = pd.read_parquet(index, columns=[*columns, "status"])
        table = table[table["status"] == "ok"]
        self._number = {video_id: i for i, video_id in enumerate(table["video_id"])}
        self._shard, self._row, self._length = (table[c].to_numpy(np.int32) for c in ("shard", "row", "source_frames"))
        self._fps = table["fps"].to_numpy()

    def __contains__(self, video_id: str) -> bool:
        return video_id in self._number

    def length(self, video_id: str) -> int:
        """Return how many frames the source video has."""
        return int(self._length[self._number[video_id]])

    def fps(self, video_id: str) -> float:
        """Return the frame rate of the source video, in frames per second."""
        return float(self._fps[self._number[video_id]])

    def frames(self, video_id: str, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (T, size, size, 3) RGB bytes: the frames at these positions of the source, or the nearest stored."""
        number = self._number[video_id]
        batch = _open_shard(str(self.folder / shard_name(self._shard[number]))).get_batch(int(self._row[number]))
        stored = batch.column("position").to_numpy()
        jpegs = batch.column("jpeg")
        return np.stack(
            [simplejpeg.decode_jpeg(memoryview(jpegs[i].as_buffer()).cast("B")) for i in nearest(stored, positions)]
        )


def nearest(stored: NDArray[np.int32], wanted: NDArray[np.int64]) -> list[int]:
    """Return, for each wanted position, which of the increasing stored positions is nearest (the earlier of two)."""
    after = np.clip(np.searchsorted(stored, wanted), 0, len(stored) - 1)
    before = np.maximum(after - 1, 0)
    return [int(b if w - stored[b] <= stored[a] - w else a) for a, b, w in zip(after, before, wanted, strict=True)]


@lru_cache(maxsize=4096)
def _open_shard(path: str) -> pa.ipc.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(path))
