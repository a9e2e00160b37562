"""What it costs to store 8, 16, 32 or all frames of a video, and to read a clip of 8 from them.

Without a folder, on two rendered videos of 10 seconds, 340 × 256 pixels, 25 frames per second.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fsar.config import FramesConfig
from fsar.videos.shards import shard_name
from fsar.videos.store_index import gather_index
from fsar.videos.store_read import FrameStore
from fsar.videos.store_write import write_shard
from perf.command import reader
from perf.worlds import clips_in, ten_second_clips

READS = 300


def measure(videos: list[Path], keep: int, folder: Path) -> tuple[float, float, float, float]:
    """Return megabytes and seconds of decoding per video, and milliseconds and megabytes per second of reading."""
    table = pd.DataFrame({"video_id": [str(v) for v in videos], "path": [str(v) for v in videos]})
    table.to_parquet(folder / "manifest.parquet")
    started = time.perf_counter()
    write_shard(table, 0, FramesConfig(keep=keep, shards=1), folder / shard_name(0), folder / "shard-000.parquet")
    decoding = (time.perf_counter() - started) / len(videos)
    index = gather_index(folder / "manifest.parquet", [folder / "shard-000.parquet"], 1.0, folder / "index.parquet")
    store, rng = FrameStore(folder, folder / "index.parquet"), np.random.default_rng(0)
    ids = store.numbers(list(index.query("status == 'ok'")["video_id"]))
    started = time.perf_counter()
    for read in range(READS):
        video = ids[read % len(ids)]
        store.frames(video, np.sort(rng.integers(store.length(video), size=8)))
    reading = (time.perf_counter() - started) / READS
    return index["bytes"].sum() / 1e6 / len(ids), decoding, 1000 * reading, index["source_frames"].mean()


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("stored_frames", __doc__)
    whole.add_argument("folder", nargs="?", type=Path, help="with videos (default: rendered ones)")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    given = parser().parse_args(arguments).folder
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        videos = clips_in(given) if given else ten_second_clips(folder, 2)
        print(f"{len(videos)} videos")
        print("| frames stored | MB per video | decoding, s per video | reading 8 frames, ms |")
        print("|---|---|---|---|")
        for keep in (8, 16, 32, 0):
            size, decoding, reading, frames = measure(videos, keep, folder)
            print(f"| {keep or f'all ({frames:.0f})'} | {size:.2f} | {decoding:.3f} | {reading:.2f} |")


if __name__ == "__main__":
    main()
