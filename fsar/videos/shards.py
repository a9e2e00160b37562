"""Which shard of the frame store a video is in."""

import zlib


def shard_of(video_id: str, shards: int) -> int:
    """Return the shard of a video: by its id alone, so that a change of a list touches few shards."""
    return zlib.crc32(video_id.encode()) % shards


def shard_name(shard: int) -> str:
    """Return the file name of a shard."""
    return f"shard-{shard:03d}.arrow"
