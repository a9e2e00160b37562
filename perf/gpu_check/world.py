"""The data of all parts: the demo's rendered videos as frames of two sizes, drawn episodes, and random weights."""

from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file

from fsar.config import FramesConfig
from fsar.episodes.stored import StoredEpisodes, draw_episodes, readable_videos
from fsar.model.open_clip_backbone import random_clip
from fsar.sources.demo.videos import render_part
from fsar.sources.manifest import write_manifest
from fsar.videos.shards import shard_name
from fsar.videos.store_index import gather_index
from fsar.videos.store_read import FrameStore
from fsar.videos.store_write import write_shard
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes

SMALL = "small-clip"  # the demo's backbone, of the small trainings
SMALL_FRAMES = 72
FORK = get_context("fork")


def make_world(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Render, decode, draw, and leave weights to chance."""
    started = findings.left
    render_all(data, sizes)
    rendered = len(list((data / "videos").iterdir()))
    findings.row("data", what="videos rendered", count=rendered, seconds=started - findings.left)
    manifest = data / "manifest.parquet"
    for name, size in (("small", SMALL_FRAMES), ("large", sizes.frame_size)):
        started = findings.left
        index = store(data, name, size, sizes.processes)
        count = int(index["stored_frames"].sum())
        what = f"frames of {size} pixels, {index['bytes'].sum() / count / 1e3:.1f} kB each"
        findings.row("data", what=what, count=count, seconds=started - findings.left)
        findings.check(f"all videos were decoded to {size} pixels", bool((index["status"] == "ok").all()))
    index = data / "small" / "index.parquet"
    way = sizes.training.get("way", 5)
    draw_episodes(manifest, index, "val", way, 1, 1, min(sizes.episodes, 200), 0, data / "val.parquet")
    draw_episodes(manifest, index, "test", way, 1, 1, sizes.episodes, 0, data / "test.parquet")
    torch.manual_seed(0)
    for name in (SMALL, "small-vit-clip"):
        save_file(random_clip(name).state_dict(), data / f"{name}.safetensors")
    findings.row("machine", **device.facts())


def render_all(data: Path, sizes: Sizes) -> None:
    """Render the videos, several parts at a time, and write their manifest."""
    listings = [data / f"videos-{part}.csv" for part in range(sizes.demo.parts)]
    with FORK.Pool(sizes.processes) as pool:
        render = partial(render_part, sizes.demo, 0)
        pool.starmap(render, [(part, data / "videos", listing) for part, listing in enumerate(listings)])
    write_manifest(listings, data / "manifest.parquet")


def store(data: Path, name: str, size: int, processes: int) -> pd.DataFrame:
    """Decode all videos to frames of a size, into the folder `name`; return the index."""
    folder, manifest = data / name, data / "manifest.parquet"
    folder.mkdir()
    videos = pd.read_parquet(manifest)
    config = FramesConfig(size=size, shards=processes)
    shards = [(folder / shard_name(shard), folder / f"shard-{shard}.parquet") for shard in range(processes)]
    with FORK.Pool(processes) as pool:
        pool.starmap(write_shard, [(videos, shard, config, *files) for shard, files in enumerate(shards)])
    return gather_index(manifest, [index for _, index in shards], 0.0, folder / "index.parquet")


def frames(data: Path, name: str) -> FrameStore:
    """Return the stored frames of a folder: small or large."""
    return FrameStore(data / name, data / name / "index.parquet")


def videos(data: Path, split: str) -> pd.DataFrame:
    """Return the videos of a split."""
    return readable_videos(data / "manifest.parquet", data / "small" / "index.parquet", split)


def episodes(data: Path, split: str) -> StoredEpisodes:
    """Return the stored episodes of a split."""
    return StoredEpisodes.read(data / f"{split}.parquet")
