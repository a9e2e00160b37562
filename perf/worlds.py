"""Small data sets that the benchmarks run on: rendered clips in a frame store, as many rows as wanted."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

from fsar.config import FramesConfig
from fsar.episodes.draw import EpisodeSampler
from fsar.episodes.stored import StoredEpisodes
from fsar.files import write_parquet
from fsar.sources.walk import videos_below
from fsar.videos.shards import INDEX_SCHEMA, shard_name
from fsar.videos.store_read import FrameStore
from fsar.videos.store_write import write_shard
from tests.videos import FFMPEG

CLASSES = 64


def clips_in(folder: Path) -> list[Path]:
    """Return the videos at any depth of a folder."""
    return videos_below(folder)[0]


def ten_second_clips(folder: Path, count: int) -> list[Path]:
    """Render clips of 10 s, 340 × 256 pixels, 25 frames per second, H.264.

    They are dives into the Mandelbrot set: about 1 MB each and 17 kB per stored frame, as clips of Kinetics are.
    """
    clips = [folder / f"clip {number}.mp4" for number in range(count)]
    for number, clip in enumerate(clips):
        source = f"mandelbrot=size=340x256:rate=25:start_scale={3 - 0.4 * number}"
        command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "250", "-pix_fmt", "yuv420p"]
        subprocess.run([*command, "-c:v", "libx264", str(clip)], check=True, stdin=subprocess.DEVNULL)
    return clips


def store_of(clips: list[Path], rows: int, folder: Path) -> tuple[FrameStore, pd.DataFrame]:
    """Store clips, and name each of them as many times as it takes to have `rows` videos of 64 classes.

    Returns:
        The store, and its videos with the columns video_id and class_name.
    """
    table = pd.DataFrame({"video_id": [str(clip) for clip in clips], "path": [str(clip) for clip in clips]})
    write_shard(table, 0, FramesConfig(shards=1), folder / shard_name(0), folder / "shard-000.parquet")
    stored = pd.read_parquet(folder / "shard-000.parquet")
    index = stored.iloc[np.arange(rows) % len(stored)].reset_index(drop=True)
    index["video_id"] = [f"class {row % CLASSES}/video {row}.mp4" for row in range(rows)]
    write_parquet(folder / "index.parquet", index, INDEX_SCHEMA)
    videos = pd.DataFrame({"video_id": index["video_id"], "class_name": (index.index % CLASSES).astype(str)})
    return FrameStore(folder, folder / "index.parquet"), videos


def draw(ids: list[str], labels: list[str], shot: int, count: int) -> StoredEpisodes:
    """Return 5-way episodes with one query per class."""
    sampler = EpisodeSampler(np.array(labels, object), 5, shot, 1)
    rng = np.random.default_rng(0)
    drawn = [sampler.draw(rng) for _ in range(count)]
    return StoredEpisodes(
        video_ids=ids,
        class_names=list(sampler.class_names),
        classes=np.stack([episode.classes for episode in drawn]),
        support=np.stack([episode.support for episode in drawn]),
        queries=np.stack([episode.queries for episode in drawn]),
    )
