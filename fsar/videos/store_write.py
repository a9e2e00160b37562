"""Writing the frame store: every video of a shard decoded once, its frames as JPEG."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import simplejpeg
from numpy.typing import NDArray

from fsar.config import FramesConfig
from fsar.files import atomic, write_checksums, write_parquet
from fsar.job import progress
from fsar.videos.decode import decode
from fsar.videos.frame import Flaws, VideoError, VideoFacts
from fsar.videos.shards import INDEX_SCHEMA, SHARD_SCHEMA, shard_of

log = logging.getLogger(__name__)


def stored_positions(frames: int, keep: int) -> NDArray[np.int64]:
    """Return which frames of a video are stored: all if `keep` is 0 or above `frames`, else `keep` evenly spread."""
    if keep == 0 or frames <= keep:
        return np.arange(frames)
    return ((np.arange(keep) + 0.5) * frames / keep).astype(np.int64)


def _encode_video(path: str, config: FramesConfig) -> tuple[VideoFacts, list[bytes], Flaws]:
    """Decode a video and return its facts, one JPEG per frame, and its flaws.

    Raises:
        VideoError: it cannot be decoded, or is damaged where damaged videos are left out.
    """
    facts, flaws = VideoFacts(0.0, 0, 0), Flaws()
    jpegs: list[bytes] = []
    for part in decode(path, config.size, config.timeout, config.decoder, config.antialias):
        if isinstance(part, Flaws):
            flaws = part
            continue
        facts = facts if jpegs else part.facts
        jpegs.append(simplejpeg.encode_jpeg_yuv_planes(*part.planes, quality=config.quality))
    flaws.check(len(jpegs), config.damaged)
    return facts, jpegs, flaws


def _facts(facts: VideoFacts, flaws: Flaws, frames: int, kept: list[bytes]) -> dict[str, Any]:
    """Return what the index has of a stored video, see `INDEX_SCHEMA`."""
    return {
        "stored_frames": len(kept),
        "source_frames": frames,
        "fps": facts.fps,
        "width": facts.width,
        "height": facts.height,
        "duration": frames / facts.fps if facts.fps else 0.0,
        "bytes": sum(map(len, kept)),
        "lost_frames": flaws.lost,
        "wrong_frames": flaws.wrong,
        "status": "ok",
        "error": flaws.reason,
    }


def write_shard(videos: pd.DataFrame, shard: int, config: FramesConfig, arrow: Path, index: Path) -> None:
    """Decode the videos of a shard.

    Args:
        videos: of the benchmark, with the columns video_id and path.
        shard: which shard, from 0.
        config: size, quality and number of stored frames, the decoder, and what is done with damaged videos.
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
                try:
                    facts, jpegs, flaws = _encode_video(path, config)
                except VideoError as error:
                    log.warning("%s: %s", path, error)
                    rows.append(row | {"status": "failed", "error": str(error)})
                    continue
                if flaws.lost:
                    log.warning("%s: %d frames are lost: %s", path, flaws.lost, flaws.reason)
                positions = stored_positions(len(jpegs), config.keep)
                kept = [jpegs[i] for i in positions]
                columns = [pa.array(positions, pa.int32()), pa.array(kept, pa.binary())]
                writer.write_batch(pa.record_batch(columns, schema=SHARD_SCHEMA))
                rows.append(row | {"row": stored} | _facts(facts, flaws, len(jpegs), kept))
                stored += 1
    write_parquet(index, pd.DataFrame(rows, columns=INDEX_SCHEMA.names), INDEX_SCHEMA)
    write_checksums([arrow, index], index.with_suffix(".sha256"))
    log.info("shard %d: %d of %d videos stored", shard, stored, len(videos))
