"""The frames that a clip is looked at by: those of the workflow's own tests, without a frame store in between."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fsar.config import FramesConfig, SamplingConfig
from fsar.files import readable
from fsar.predict.clips import Clip
from fsar.videos.augmentation import crop
from fsar.videos.decode import decode
from fsar.videos.frame import Flaws, Frame, Planes, VideoFacts
from fsar.videos.rates import varies
from fsar.videos.sampling import Timed, positions_at_test
from fsar.videos.scale import Scaler
from fsar.videos.store_read import nearest
from fsar.videos.store_write import stored_positions

log = logging.getLogger(__name__)

# Frames of a clip held until its length is known. A longer clip is decoded a second time, so memory stays bounded.
HELD = 1500


def read_clip(clip: Clip, frames: FramesConfig, sampling: SamplingConfig, seed: int, size: int) -> NDArray[np.uint8]:
    """Return the frames a clip is looked at by, as the model sees them: (T, size, size, 3) RGB bytes.

    They are the bytes that the workflow gives for a video of this id: stored as JPEG, cropped.

    Args:
        clip: a file, or frames in memory.
        frames: how the workflow stores frames.
        sampling, seed: which frames.
        size: of the pictures the backbone expects, in pixels.

    Raises:
        VideoError: the clip cannot be decoded, or is damaged where damaged videos are left out.
    """

    def wanted(times: NDArray[np.float64], facts: VideoFacts) -> NDArray[np.int64]:
        stored = stored_positions(len(times), frames.keep).astype(np.int32)
        timed = Timed(stored, times[stored]) if varies(times, facts.tick) else None
        positions = positions_at_test(clip.video_id, len(times), facts.fps, sampling, seed, timed)
        return stored[nearest(stored, positions)].astype(np.int64)

    pictures = [as_stored(planes, frames, size) for planes in _chosen(clip, frames, wanted)]
    return np.stack(pictures)


def decoded(path: str | Path, frames: FramesConfig, timeout: float) -> Iterator[Frame | Flaws]:
    """Yield every frame as the workflow decodes it, and in the end what is wrong with the video.

    Raises:
        VideoError: the video cannot be decoded, or not within `timeout` seconds.
    """
    yield from decode(path, frames.size, timeout, frames.decoder, frames.antialias)


def converted(pictures: Iterable[NDArray[np.uint8]], frames: FramesConfig, fps: float = 1.0) -> Iterator[Frame]:
    """Yield pictures in memory, (H, W, 3) RGB bytes each, as if they had been decoded at `fps` frames per second."""
    scaler = Scaler(frames.size, frames.antialias)
    for position, picture in enumerate(pictures):
        given = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        facts = VideoFacts(fps, given.width, given.height)
        yield Frame(facts, position, position / fps, scaler.planes(given))


def as_stored(planes: Planes, frames: FramesConfig, size: int) -> NDArray[np.uint8]:
    """Return a decoded frame as it comes out of the frame store: through JPEG, and the middle of it."""
    jpeg = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=frames.quality)
    top, left = crop(frames.size, size, None)
    return simplejpeg.decode_jpeg(jpeg)[top : top + size, left : left + size]


def _chosen(
    clip: Clip, frames: FramesConfig, wanted: Callable[[NDArray[np.float64], VideoFacts], NDArray[np.int64]]
) -> Iterator[Planes]:
    """Yield the frames at the wanted positions, which depend on the times of all frames and their rate."""
    held: list[Planes] = []
    times: list[float] = []
    facts, flaws = VideoFacts(0.0, 0, 0), Flaws()
    for part in _parts(clip, frames):
        if isinstance(part, Flaws):
            flaws = part
            continue
        facts = facts if times else part.facts
        times.append(part.time)
        if len(times) <= HELD:
            held.append(part.planes)
        else:
            held.clear()
    flaws.check(len(times), frames.damaged)
    if flaws.lost:
        log.warning("%s: %d frames are lost: %s", readable(clip.path), flaws.lost, flaws.reason)
    positions = wanted(np.array(times), facts)
    if len(times) <= HELD:
        yield from (held[position] for position in positions)
        return
    for part in _parts(clip, frames):
        if isinstance(part, Frame):
            yield from [part.planes] * int((positions == part.position).sum())


def _parts(clip: Clip, frames: FramesConfig) -> Iterator[Frame | Flaws]:
    if clip.frames is not None:
        yield from converted(clip.frames, frames)
    else:
        yield from decoded(clip.path, frames, frames.timeout)
