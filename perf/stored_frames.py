"""What it costs to store 8, 16, 32 or all frames of a video, and to read a clip of 8 from them.

Without a folder, on two rendered videos of 10 seconds, 340 × 256 pixels, 25 frames per second.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fsar.config import FramesConfig
from perf.command import reader
from perf.worlds import clips_in, stored, ten_second_clips

READS = 300


def measure(videos: list[Path], keep: int, folder: Path) -> tuple[float, float, float, float]:
    """Return megabytes and seconds of decoding per video, and milliseconds and megabytes per second of reading."""
    started = time.perf_counter()
    store, index = stored(videos, FramesConfig(keep=keep, shards=1), folder)
    decoding = (time.perf_counter() - started) / len(videos)
    rng, read_ones = np.random.default_rng(0), np.flatnonzero(index["status"] == "ok")
    started = time.perf_counter()
    for read in range(READS):
        video = int(read_ones[read % len(read_ones)])
        store.frames(video, np.sort(rng.integers(store.length(video), size=8)))
    reading = (time.perf_counter() - started) / READS
    return index["bytes"].sum() / 1e6 / len(read_ones), decoding, 1000 * reading, index["source_frames"].mean()


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
