"""Rendering the demo's videos: a shape acts in front of clutter, filmed by an unsteady hand, encoded as H.264."""

import csv
import logging
from pathlib import Path
from zlib import crc32

import ffmpeg
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from fsar.benchmarks.splits import SPLITS
from fsar.config import DemoSource
from fsar.files import atomic, atomic_csv
from fsar.job import progress
from fsar.sources.demo.actions import ACTIONS, class_name, split_classes
from fsar.sources.demo.scene import Clutter, scene, visible_colour
from fsar.sources.demo.shapes import Array, Pose, draw

log = logging.getLogger(__name__)

FRAME_RATES = (10, 12, 15, 24, 25, 30)
CLUTTER = Clutter(textures=(40, 25, 12), scraps=(3, 7), radius=(0.08, 0.28), bars=(1, 3), contrast=60)


def shake(rng: np.random.Generator, frames: int, strength: float) -> Array:
    """Return (frames, 2) smooth camera offsets in pixels."""
    kernel = np.hanning(9).astype(np.float32)
    steps = rng.normal(0, 1, (frames + 8, 2)).astype(np.float32)
    smooth = np.stack([np.convolve(steps[:, axis], kernel / kernel.sum(), mode="valid") for axis in (0, 1)], axis=1)
    return smooth * np.float32(strength / 0.4)


def render(
    shape: str, action: str, rng: np.random.Generator, clutter: float = 1.0, speed: float = 1.0
) -> tuple[NDArray[np.uint8], int]:
    """Render one video of a class; everything else is random.

    Args:
        shape, action: of the class.
        rng: of the video.
        clutter, speed: multiples of the usual.

    Returns:
        frames (length, height, width, 3) as RGB bytes, and the frame rate in frames per second.
    """
    fps = int(rng.choice(FRAME_RATES))
    length = max(12, round(fps * rng.uniform(1.0, 2.2)))
    height, width = (2 * int(side) for side in rng.integers(44, 72, 2))
    margin = 10
    behind = scene(rng, height + 2 * margin, width + 2 * margin, CLUTTER.times(clutter))
    colour = visible_colour(rng, behind)
    rest = Pose(
        x=rng.uniform(-0.25, 0.25),
        y=rng.uniform(-0.25, 0.25),
        radius=rng.uniform(0.3, 0.5),
        angle=rng.uniform(-0.4, 0.4),
    )
    start, end = rng.uniform(0.0, 0.25), rng.uniform(0.75, 1.0)
    easing = rng.uniform(0.7, 1.4)
    offsets = np.clip(shake(rng, length, rng.uniform(0.5, 3.0)), -margin, margin)
    light = 1 + 0.12 * np.sin(rng.uniform(0, 6.3) + np.arange(length) * rng.uniform(0.05, 0.4))
    grain = rng.uniform(3, 10)

    frames = np.empty((length, height, width, 3), np.uint8)
    for i in range(length):
        progress = float(np.clip((i / (length - 1) - start) * speed / (end - start), 0, 1) ** easing)
        dy, dx = (margin + round(float(o)) for o in offsets[i])
        picture = behind[dy : dy + height, dx : dx + width].copy()
        pose = ACTIONS[action](rest, progress)
        half = min(height, width) / 2
        shaken = Pose(
            pose.x + (margin - dx) / half, pose.y + (margin - dy) / half, pose.radius, pose.angle, pose.opacity
        )
        draw(picture, shape, shaken, colour)
        picture *= np.float32(light[i])
        picture += rng.standard_normal((height, width, 1), np.float32) * np.float32(grain)
        frames[i] = np.clip(picture, 0, 255)
    return frames, fps


def encode(frames: NDArray[np.uint8], fps: int, path: Path) -> None:
    """Encode frames (length, height, width, 3) as H.264 in MP4; the same frames give the same bytes."""
    height, width = frames.shape[1:3]
    with atomic(path) as temporary:
        stream = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=fps)
        stream = ffmpeg.output(
            stream,
            str(temporary),
            format="mp4",
            vcodec="libx264",
            pix_fmt="yuv420p",
            crf=26,
            preset="ultrafast",
            threads=1,
            fflags="+bitexact",
            **{"flags:v": "+bitexact"},
        )
        ffmpeg.run(
            stream, cmd=imageio_ffmpeg.get_ffmpeg_exe(), input=frames.tobytes(), quiet=True, overwrite_output=True
        )


def render_part(source: DemoSource, seed: int, part: int, folder: Path, listing: Path) -> None:
    """Render every `source.parts`-th video of the benchmark into `folder`, and list them.

    Args:
        source: classes and class partition, videos per class and the number of parts.
        seed: decides every video; a video does not depend on the number of parts or of other videos.
        part: which part, from 0.
        folder: where the videos go; made if needed.
        listing: CSV to write, with the columns path (relative to its folder), class and split.
    """
    videos = [
        (split, shape, action, number)
        for split, classes in split_classes(source.classes, seed, source.deal, source.shapes).items()
        for shape, action in sorted(classes)
        for number in range(getattr(source.videos_per_class, split))
    ]
    assert {split for split, *_ in videos} == set(SPLITS)
    mine = videos[part :: source.parts]
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, shape, action, number in progress(mine, "rendering", "video"):
        name = class_name(shape, action)
        path = folder / f"{name} ({number}).mp4"
        rng = np.random.default_rng([seed, 3, source.deal, crc32(name.encode()), number])
        frames, fps = render(shape, action, rng, source.clutter, source.speed)
        encode(frames, fps, path)
        rows.append({"path": path.relative_to(listing.parent).as_posix(), "class": name, "split": split})
    with atomic_csv(listing) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "class", "split"])
        writer.writeheader()
        writer.writerows(rows)
    log.info("rendered %d videos into %s", len(rows), folder)
