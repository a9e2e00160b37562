"""The frames that a clip is looked at by: those of the workflow's own tests, without a frame store in between."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fsar.config import FramesConfig, SamplingConfig
from fsar.videos.augmentation import crop
from fsar.videos.decode import Planes, VideoFacts, decode
from fsar.videos.sampling import positions_at_test
from fsar.videos.store_read import nearest
from fsar.videos.store_write import stored_positions

# Frames of a clip held until its length is known. A longer clip is decoded a second time, so memory stays bounded.
HELD = 1500


def read_clip(
    path: Path, video_id: str, frames: FramesConfig, sampling: SamplingConfig, seed: int, size: int
) -> NDArray[np.uint8]:
    """Return the frames a clip is looked at by, as the model sees them: (T, size, size, 3) RGB bytes.

    They are the bytes that the workflow gives for a video of this id: drawn by seed and id, stored as JPEG, cropped.

    Args:
        path, video_id: the clip.
        frames: how the workflow stores frames.
        sampling, seed: which frames.
        size: of the pictures the backbone expects, in pixels.

    Raises:
        VideoError: the clip cannot be decoded.
    """

    def wanted(length: int, fps: float) -> NDArray[np.int64]:
        stored = stored_positions(length, frames.keep).astype(np.int32)
        return stored[nearest(stored, positions_at_test(video_id, length, fps, sampling, seed))].astype(np.int64)

    pictures = [as_stored(planes, frames, size) for planes in _chosen(path, frames, wanted)]
    return np.stack(pictures)


def decoded(path: str | Path, frames: FramesConfig, timeout: float) -> Iterator[tuple[VideoFacts, Planes]]:
    """Yield every frame as the workflow decodes it, with the facts of its video.

    Raises:
        VideoError: the video cannot be decoded, or not to its end, or not within `timeout` seconds.
    """
    yield from decode(path, frames.size, timeout)


def as_stored(planes: Planes, frames: FramesConfig, size: int) -> NDArray[np.uint8]:
    """Return a decoded frame as it comes out of the frame store: through JPEG, and the middle of it."""
    jpeg = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=frames.quality)
    top, left = crop(frames.size, size, None)
    return simplejpeg.decode_jpeg(jpeg)[top : top + size, left : left + size]


def _chosen(path: Path, frames: FramesConfig, wanted: Callable[[int, float], NDArray[np.int64]]) -> Iterator[Planes]:
    """Yield the frames at the wanted positions, which depend on the number of all frames and their rate."""
    held: list[Planes] = []
    length, rate = 0, 0.0
    for facts, planes in decoded(path, frames, frames.timeout):
        length, rate = length + 1, facts.fps
        if length <= HELD:
            held.append(planes)
        else:
            held.clear()
    positions = wanted(length, rate)
    if length <= HELD:
        yield from (held[position] for position in positions)
        return
    for number, (_, planes) in enumerate(decoded(path, frames, frames.timeout)):
        yield from [planes] * int((positions == number).sum())
