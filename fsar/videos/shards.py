"""The layout of the frame store: a fixed number of shards, the schemas of shard and index, and the shard of a video.

A shard is an Arrow IPC file with one record batch per video, and a Parquet index with one row per video. A broken
video is a row with its error. It never stops the job, and no other video takes its place.
"""

import zlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SHARD_SCHEMA = pa.schema(
    [
        ("position", pa.int32()),  # of the frame in its video, from 0
        ("time", pa.float64()),  # seconds from the start of the presentation, as in a player
        ("jpeg", pa.large_binary()),  # large: one video may have more than 2 GiB
        ("checksum", pa.uint32()),  # of the JPEG, its video and all positions and times, see `frame_checksum`
    ]
)
INDEX_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("shard", pa.int32()),  # number of the Arrow file
        ("row", pa.int32()),  # number of the record batch in it; −1 if the video is broken
        ("stored_frames", pa.int32()),
        ("source_frames", pa.int32()),  # decoded frames; the header may state another number
        ("fps", pa.float64()),  # frames per second, on average; 0 if unknown
        ("variable_rate", pa.bool_()),  # steps between frames differ by more than rounding
        ("width", pa.int32()),  # pixels, of the source
        ("height", pa.int32()),
        ("start", pa.float64()),  # time of the first frame, in seconds from the start of the presentation
        ("duration", pa.float64()),  # seconds from the first frame's start to the last one's end; 0 if unknown
        ("bytes", pa.int64()),  # stored
        ("decoder", pa.string()),
        ("lost_frames", pa.int32()),  # estimate of the missing frames; 0 if the video failed
        ("wrong_frames", pa.int32()),  # frames that are not those of their positions; only decord gives such
        ("status", pa.string()),  # ok or failed
        ("error", pa.string()),  # why it failed, or why frames are lost; else empty
        ("notes", pa.string()),  # other remarks, joined by "; "
    ]
)


def layout_checksum(video_id: str, positions: NDArray[np.int32], times: NDArray[np.float64]) -> int:
    """Return the CRC-32 of a video's id, positions and times: the start value of its frames' checksums."""
    return zlib.crc32(times.tobytes(), zlib.crc32(positions.tobytes(), zlib.crc32(video_id.encode())))


def frame_checksum(layout: int, jpeg: bytes | memoryview) -> int:
    """Return the checksum of a frame, which is checked when this frame is read."""
    return zlib.crc32(jpeg, layout)


def shard_of(video_id: str, shards: int) -> int:
    """Return the shard of a video: it follows from its id alone, so that a change of a list touches few shards."""
    return zlib.crc32(video_id.encode()) % shards


def shard_name(shard: int) -> str:
    """Return the file name of a shard."""
    return f"shard-{shard:03d}.arrow"
