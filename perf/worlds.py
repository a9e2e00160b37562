"""Small data sets that the benchmarks run on: rendered clips in a frame store, as many rows as wanted."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
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

CLASSES = 64
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def clips_in(folder: Path) -> list[Path]:
    """Return the videos at any depth of a folder."""
    return videos_below(folder)[0]


def ten_second_clips(folder: Path, count: int) -> list[Path]:
    """Render clips of 10 s, 340 × 256 pixels, 25 frames per second, H.264.

    They are dives into the Mandelbrot set: about 1 MB each and 17 kB per stored frame, as clips of Kinetics are.
    """
    return _dives(folder, count, "340x256", 250)


def short_clips(folder: Path, count: int) -> list[Path]:
    """Render clips of 30 frames, 256 × 256 pixels, in a moment."""
    return _dives(folder, count, "256x256", 30)


def _dives(folder: Path, count: int, size: str, frames: int) -> list[Path]:
    clips = [folder / f"clip {number}.mp4" for number in range(count)]
    for number, clip in enumerate(clips):
        source = f"mandelbrot=size={size}:rate=25:start_scale={3 - 0.4 * number}"
        command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", str(frames), "-pix_fmt", "yuv420p"]
        subprocess.run([*command, "-c:v", "libx264", str(clip)], check=True, stdin=subprocess.DEVNULL)
    return clips


def stored(clips: list[Path], config: FramesConfig, folder: Path) -> tuple[FrameStore, pd.DataFrame]:
    """Store clips, each as a video whose id is its place among them; return the store and its index."""
    table = pd.DataFrame(
        {"video_id": [f"{number:04}" for number in range(len(clips))], "path": [str(clip) for clip in clips]}
    )
    write_shard(table, 0, config, folder / shard_name(0), folder / "shard-000.parquet")
    index = pd.read_parquet(folder / "shard-000.parquet")
    write_parquet(folder / "index.parquet", index, INDEX_SCHEMA)
    return FrameStore(folder, folder / "index.parquet"), index


def store_of(clips: list[Path], rows: int, folder: Path) -> tuple[FrameStore, pd.DataFrame]:
    """Store clips, and list each of them as often as it takes to have `rows` videos of 64 classes.

    Returns:
        The store, whose videos are numbered as the clips are; and the list, with the columns video_id and class_name.
    """
    store, index = stored(clips, FramesConfig(shards=1), folder)
    ids = list(index["video_id"])
    listed = [(ids[row % len(ids)], str(row % CLASSES)) for row in range(rows)]
    return store, pd.DataFrame(listed, columns=["video_id", "class_name"])


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
