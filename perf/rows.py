"""Manifest, gathered index and stored episodes of a benchmark with very many videos: time and memory.

    python -m perf.rows [videos …]

The rows are made up; there are no videos behind them.
"""

import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from fsar.episodes.stored import draw_episodes
from fsar.files import write_parquet
from fsar.sources.manifest import write_manifest
from fsar.videos.shards import INDEX_SCHEMA, shard_of
from fsar.videos.store_index import gather_index

SHARDS, CLASSES = 16, 100


def measure(videos: int) -> tuple[float, float, float]:
    """Return the seconds that `videos` rows take: manifest, gathered index, 10,000 test episodes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        splits = np.array(["train", "val", "test"])[np.arange(CLASSES) % 3]
        with (folder / "list.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "class", "split"))
            for number in range(videos):
                label = number % CLASSES
                writer.writerow((f"class {label}/video {number}.mp4", f"class {label}", splits[label]))
        started = time.perf_counter()
        manifest = write_manifest([folder / "list.csv"], folder / "manifest.parquet")
        listing = time.perf_counter() - started
        indexes = [_index(manifest, number, folder / f"{number}.parquet") for number in range(SHARDS)]
        started = time.perf_counter()
        gather_index(folder / "manifest.parquet", indexes, 0.0, folder / "index.parquet")
        gathering = time.perf_counter() - started
        started = time.perf_counter()
        draw_episodes(
            folder / "manifest.parquet", folder / "index.parquet", "test", 5, 5, 1, 10000, 0, folder / "e.parquet"
        )
        return listing, gathering, time.perf_counter() - started


def _index(manifest: pd.DataFrame, shard: int, path: Path) -> Path:
    own = manifest[[shard_of(video, SHARDS) == shard for video in manifest["video_id"]]]
    facts = {"stored_frames": 60, "source_frames": 60, "fps": 12.0, "width": 340, "height": 256, "duration": 5.0}
    facts |= {"bytes": 700000, "shard": shard, "status": "ok", "error": ""}
    table = pd.DataFrame({"video_id": own["video_id"], "row": np.arange(len(own))} | facts)
    write_parquet(path, table, INDEX_SCHEMA)
    return path


def main() -> None:
    """Print a row for each number of videos, each measured in a process of its own."""
    if sys.argv[1:2] == ["--one"]:
        times = measure(int(sys.argv[2]))
        cells = [f"{int(sys.argv[2]):,}", *(f"{seconds:.1f}" for seconds in (*times, sum(times)))]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"| {' | '.join(cells)} | {memory:.2f} |", flush=True)
        return
    print("| videos | manifest, s | index, s | 10,000 episodes, s | together, s | memory, GB |")
    print("|---|---|---|---|---|---|", flush=True)
    for videos in sys.argv[1:] or ("2000", "20000", "200000"):
        subprocess.run([sys.executable, "-m", "perf.rows", "--one", videos], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
