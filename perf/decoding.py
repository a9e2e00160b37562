"""Decoding to the frame store against the bare ffmpeg program, on one core each, on the same clips.

The program decodes, scales to 256 × 256 and throws the frames away: to RGB, which is what a program that wants pixels
asks for, and in the colours of the video, which is the least that can be asked. The frame store turns them into the
colours of JPEG, encodes and writes them, too. All three may use one core, whatever threads they start, and run in
turns; ratios are of medians.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pandas as pd

from fsar.config import FramesConfig
from fsar.videos.store_write import write_shard
from perf.command import reader
from perf.worlds import FFMPEG, clips_in

ROUNDS = 5


def bare(videos: list[Path], size: int, pixels: str) -> float:
    """Return the seconds the ffmpeg program takes to decode and scale the videos."""
    reading = [FFMPEG, "-v", "error", "-threads", "1", "-filter_threads", "1"]
    scaling = ["-map", "0:v:0", "-vf", f"scale={size}:{size}:flags=bilinear{pixels}", "-fps_mode", "passthrough"]
    started = time.perf_counter()
    for video in videos:
        command = [*reading, "-i", f"file:{video}", *scaling, "-f", "null", "-"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def stored(videos: list[Path], size: int, folder: Path) -> float:
    """Return the seconds of writing their shard."""
    table = pd.DataFrame({"video_id": [str(number) for number in range(len(videos))], "path": [str(v) for v in videos]})
    for name in ("a.arrow", "a.parquet"):
        (folder / name).unlink(missing_ok=True)  # a file that replaces another is written to the disk at once
    started = time.perf_counter()
    write_shard(table, 0, FramesConfig(size=size, shards=1), folder / "a.arrow", folder / "a.parquet")
    return time.perf_counter() - started


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("decoding", __doc__)
    whole.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="with videos")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print clips per second of both, and their ratio."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # for the program it starts, too
    print("| clips | ffmpeg to RGB, clips/s | ffmpeg, clips/s | frame store, clips/s | ratio to RGB | ratio |")
    print("|---|---|---|---|---|---|")
    for folder in parser().parse_args(arguments).folders:
        videos = clips_in(folder)
        few = videos * max(1, 8 // len(videos))  # what a shard costs once is not the matter here
        with tempfile.TemporaryDirectory() as temporary:
            times = [
                (bare(few, 256, ",format=rgb24"), bare(few, 256, ""), stored(few, 256, Path(temporary)))
                for _ in range(ROUNDS)
            ]
        rgb, plain, ours = (len(few) / median(column) for column in zip(*times, strict=True))
        rates = f"{rgb:.2f} | {plain:.2f} | {ours:.2f} | {ours / rgb:.2f} | {ours / plain:.2f}"
        print(f"| {folder.name} ({len(videos)}) | {rates} |", flush=True)
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
