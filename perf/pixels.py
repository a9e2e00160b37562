"""How far the stored pixels are from those that the public code sees, in grey levels of 256, and what they cost.

The public code resizes decoded RGB frames as floats without antialiasing and stores nothing. Its pixels are computed
here from frames decoded in one pass, every tenth of each video, so that only pixels differ and not which frames there
are. A smaller size stands for larger videos: at 64 the frames shrink as those of four times the width do at 256.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from fsar.config import FramesConfig
from perf.command import reader
from perf.worlds import clips_in, stored

EVERY = 10
WAYS: dict[str, dict[str, Any]] = {
    "as by default": {},
    "quality: 100": {"quality": 100},
    "antialias: false": {"antialias": False},
    "antialias: false, quality: 100": {"antialias": False, "quality": 100},
}


def public_pixels(video: Path, size: int) -> NDArray[np.float32]:
    """Return every tenth frame of a video as the public code resizes it: (T, size, size, 3), from 0 to 255."""
    frames = []
    with av.open(f"file:{video}", metadata_errors="ignore") as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % EVERY == 0:
                rgb = torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1).float()
                frames.append(F.interpolate(rgb.unsqueeze(0), size=(size, size), mode="bilinear")[0].permute(1, 2, 0))
    return torch.stack(frames).numpy()


def stored_pixels(videos: list[Path], config: FramesConfig, folder: Path) -> list[NDArray[np.uint8]]:
    """Return every tenth frame of each video out of a frame store."""
    store, _ = stored(videos, config, folder)
    return [store.frames(number, np.arange(0, store.length(number), EVERY)) for number in range(len(videos))]


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("pixels", __doc__)
    whole.add_argument("--size", type=int, default=256, help="of a side, in pixels (default: %(default)s)")
    whole.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="with videos")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    options = parser().parse_args(arguments)
    print(
        "| clips | stored | mean difference, levels | 99 % of pixels within | processor time to store, of the default |"
    )
    print("|---|---|---|---|---|")
    for folder in options.folders:
        videos = clips_in(folder)
        default = 0.0
        public = [public_pixels(video, options.size) for video in videos]
        for way, keys in WAYS.items():
            config = FramesConfig(size=options.size, shards=1, **keys)
            started = time.process_time()
            with tempfile.TemporaryDirectory() as temporary:
                ours = stored_pixels(videos, config, Path(temporary))
            seconds = time.process_time() - started
            default = default if keys else seconds
            errors = [np.abs(own - theirs) for own, theirs in zip(ours, public, strict=True)]
            mean = np.mean([error.mean() for error in errors])
            most = np.mean([np.percentile(error, 99) for error in errors])
            print(f"| {folder.name} | {way} | {mean:.2f} | {most:.1f} | {seconds / default:.2f} |")


if __name__ == "__main__":
    main()
