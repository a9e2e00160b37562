"""The frame store: every video decoded once, its frames as JPEG in a fixed number of memory-mapped Arrow files.

A shard is an Arrow IPC file with one record batch per video, and a Parquet index with one row per video. A broken
video is a row with its error: it is never a crash, and never replaced by another video.
"""

import logging
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
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
        (facts, simplejpeg.encode_jpeg_yuv_planes(*planes, quality=config.quality))
        for facts, planes in decode(path, config.size, config.timeout)
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
    """Read access to the frames of a benchmark. Videos are named by their numbers, the rows of the index.

    Args:
        folder: where the shards lie.
        index: the gathered index.

    The Arrow files are memory-mapped on first use, in each process anew. What is kept for each video is in flat arrays
    and no Python objects, so loader processes share it with the process that started them.
    """

    def __init__(self, folder: Path, index: Path):
        self.folder = folder
        columns = ["video_id", "shard", "row", "source_frames", "fps", "status"]
        table = pq.read_table(index, columns=columns)
        self._ids = table["video_id"].combine_chunks()
        self._shard, self._row, self._length, self._fps = (table[name].to_numpy() for name in columns[1:-1])
        self._readable = pc.equal(table["status"], "ok").to_numpy()

    def numbers(self, video_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of these videos.

        Raises:
            KeyError: some are not in the store, or could not be decoded.
        """
        found = pc.index_in(pa.array(video_ids, pa.string()), self._ids).fill_null(-1).to_numpy().astype(np.int64)
        missing = (found < 0) | ~self._readable[found]
        if missing.any():
            raise KeyError(video_ids[int(missing.argmax())])
        return found

    def video_id(self, number: int) -> str:
        """Return the id of a video."""
        return cast(str, self._ids[number].as_py())

    def length(self, number: int) -> int:
        """Return how many frames the source video has."""
        return int(self._length[number])

    def fps(self, number: int) -> float:
        """Return the frame rate of the source video, in frames per second; 0 if unknown."""
        return float(self._fps[number])

    @cached_property
    def size(self) -> int:
        """Height and width of the stored frames, in pixels."""
        number = int(self._readable.argmax())
        return int(simplejpeg.decode_jpeg_header(self.jpegs(number, np.zeros(1, np.int64))[0])[0])

    def frames(self, number: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (T, size, size, 3) RGB bytes: the frames at these positions of the source, or the nearest stored."""
        frames = np.empty((len(positions), self.size, self.size, 3), np.uint8)
        self.read(number, positions, 0, 0, frames)
        return frames

    def read(self, number: int, positions: NDArray[np.int64], top: int, left: int, clip: NDArray[np.uint8]) -> None:
        """Fill `clip`, (T, h, w, 3), with the window of the frames that begins at (top, left)."""
        height, width = clip.shape[1:3]
        for jpeg, frame in zip(self.jpegs(number, positions), clip, strict=True):
            # One frame at a time through the same memory, which so stays in the processor's cache.
            simplejpeg.decode_jpeg(jpeg, buffer=self._scratch)
            frame[:] = self._scratch[top : top + height, left : left + width]

    @cached_property
    def _scratch(self) -> NDArray[np.uint8]:
        return np.empty((self.size, self.size, 3), np.uint8)

    def jpegs(self, number: int, positions: NDArray[np.int64]) -> list[memoryview]:
        """Return the JPEGs of these frames, or of the nearest stored, as they lie in the mapped file."""
        batch = _open_shard(self.folder, int(self._shard[number])).get_batch(int(self._row[number]))
        jpegs = batch.column("jpeg")
        places = nearest(batch.column("position").to_numpy(), positions)
        return [memoryview(jpegs[place].as_buffer()).cast("B") for place in places]


def nearest(stored: NDArray[np.int32], wanted: NDArray[np.int64]) -> list[int]:
    """Return, for each wanted position, which of the increasing stored positions is nearest (the earlier of two)."""
    after = np.clip(np.searchsorted(stored, wanted), 0, len(stored) - 1)
    before = np.maximum(after - 1, 0)
    return [int(b if w - stored[b] <= stored[a] - w else a) for a, b, w in zip(after, before, wanted, strict=True)]


@lru_cache(maxsize=4096)
def _open_shard(folder: Path, shard: int) -> pa.ipc.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(str(folder / shard_name(shard))))
