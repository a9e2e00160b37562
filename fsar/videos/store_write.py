"""Writes the frame store: decodes every video of a shard once and stores its frames as JPEG."""

import logging
import tempfile
from array import array
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import simplejpeg
from numpy.typing import NDArray

from fsar.config import FramesConfig
from fsar.files import atomic, on_disk, write_checksums, write_parquet
from fsar.job import progress
from fsar.videos.decode import decode
from fsar.videos.frame import Flaws, VideoError, VideoFacts
from fsar.videos.rates import usual_step, varies
from fsar.videos.shards import INDEX_SCHEMA, SHARD_SCHEMA, frame_checksum, layout_checksum, shard_of

log = logging.getLogger(__name__)


def stored_positions(frames: int, keep: int) -> NDArray[np.int64]:
    """Return which frames of a video are stored: all if `keep` is 0 or above `frames`, else `keep` evenly spread."""
    if keep == 0 or frames <= keep:
        return np.arange(frames)
    return ((np.arange(keep) + 0.5) * frames / keep).astype(np.int64)


# Bytes of JPEGs of one video that are held in memory; the rest goes to a temporary file beside the shard.
IN_MEMORY = 64 * 2**20


class _Jpegs:
    """The JPEGs of a video during decoding. Which of them to keep is known only at its end."""

    def __init__(self, folder: Path):
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115 (closed by `close`)
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, jpeg: bytes) -> None:
        """Add the next frame."""
        self._file.write(jpeg)
        self._ends.append(self._ends[-1] + len(jpeg))

    def at(self, positions: NDArray[np.int64]) -> list[bytes]:
        """Return the frames at these positions."""
        found = []
        for position in positions:
            self._file.seek(self._ends[position])
            found.append(self._file.read(self._ends[position + 1] - self._ends[position]))
        return found

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()


@dataclass
class _Encoded:
    """A decoded video: its facts, a JPEG and a time for each frame, the duration of the last frame, its flaws."""

    jpegs: _Jpegs
    facts: VideoFacts = field(default_factory=lambda: VideoFacts(0.0, 0, 0))
    times: list[float] = field(default_factory=list)
    last: float = 0.0
    flaws: Flaws = field(default_factory=Flaws)


def _encode_video(path: str, config: FramesConfig, jpegs: _Jpegs) -> _Encoded:
    """Decode a video.

    Raises:
        VideoError: it cannot be decoded, or it is damaged and the config leaves damaged videos out.
    """
    video = _Encoded(jpegs)
    for part in decode(path, config.size, config.timeout, config.decoder, config.antialias):
        if isinstance(part, Flaws):
            video.flaws = part
            continue
        video.facts = video.facts if len(video.jpegs) else part.facts
        video.jpegs.append(simplejpeg.encode_jpeg_yuv_planes(*part.planes, quality=config.quality))
        video.times.append(part.time)
        video.last = part.duration
    video.flaws.check(len(video.jpegs), config.damaged)
    return video


def _facts(video: _Encoded, kept: list[bytes]) -> dict[str, Any]:
    """Return the row of the index for a stored video, see `INDEX_SCHEMA`."""
    facts, flaws, times = video.facts, video.flaws, np.array(video.times)
    # The last frame counts at least as long as the others: the duration in the file is often a guess.
    last = max(video.last, usual_step(times) or (1 / facts.fps if facts.fps and not video.last else 0.0))
    return {
        "stored_frames": len(kept),
        "source_frames": len(times),
        "fps": facts.fps,
        "variable_rate": varies(times, facts.tick),
        "width": facts.width,
        "height": facts.height,
        "start": video.times[0],
        "duration": video.times[-1] - video.times[0] + last,
        "bytes": sum(map(len, kept)),
        "lost_frames": flaws.lost,
        "wrong_frames": flaws.wrong,
        "status": "ok",
        "error": flaws.reason,
        "notes": "; ".join(flaws.notes),
    }


def _batch(
    video_id: str, positions: NDArray[np.int32], times: NDArray[np.float64], jpegs: list[bytes]
) -> pa.RecordBatch:
    """Return the record batch of a video, see `SHARD_SCHEMA`."""
    layout = layout_checksum(video_id, positions, times)
    values = (positions, times, jpegs, [frame_checksum(layout, jpeg) for jpeg in jpegs])
    columns = [pa.array(own, field.type) for own, field in zip(values, SHARD_SCHEMA, strict=True)]
    return pa.record_batch(columns, schema=SHARD_SCHEMA)


def write_shard(videos: pd.DataFrame, shard: int, config: FramesConfig, arrow: Path, index: Path) -> None:
    """Decode the videos of a shard.

    Args:
        videos: of the benchmark, with the columns video_id and path.
        shard: which shard, from 0.
        config: size, quality and number of stored frames, decoder, and treatment of damaged videos.
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
                row: dict[str, Any] = dict.fromkeys(INDEX_SCHEMA.names, 0)
                row |= {"video_id": video_id, "shard": shard, "row": -1, "decoder": config.decoder}
                row |= {"variable_rate": False, "notes": ""}
                with closing(_Jpegs(arrow.parent)) as jpegs:
                    try:
                        video = _encode_video(on_disk(path), config, jpegs)
                    except VideoError as error:
                        log.warning("%s: %s", path, error)
                        rows.append(row | {"status": "failed", "error": str(error)})
                        continue
                    if video.flaws.lost:
                        log.warning("%s: %d frames are lost: %s", path, video.flaws.lost, video.flaws.reason)
                    positions = stored_positions(len(jpegs), config.keep)
                    kept = jpegs.at(positions)
                writer.write_batch(_batch(video_id, positions.astype(np.int32), np.array(video.times)[positions], kept))
                rows.append(row | {"row": stored} | _facts(video, kept))
                stored += 1
    write_parquet(index, pd.DataFrame(rows, columns=INDEX_SCHEMA.names), INDEX_SCHEMA)
    write_checksums([arrow, index], index.with_suffix(".sha256"))
    log.info("shard %d: %d of %d videos stored", shard, stored, len(videos))
