"""Temporal sampling: which T frames of a video the model sees, as in the public CLIP-FSAR protocol."""

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fsar.config import SamplingConfig
from fsar.videos.rates import usual_step

# Kinetics: the span is T steps of 35 frames, at 12 frames per second.
SPAN_INTERVAL = 35
SPAN_RATE = 12


def sample_positions(
    length: int, fps: float, config: SamplingConfig, rng: np.random.Generator, training: bool
) -> NDArray[np.int64]:
    """Return T frame positions, from 0 to length − 1, in increasing order.

    Args:
        length: frames of the video; at least 1. Videos shorter than T repeat frames.
        fps: frame rate of the video, in frames per second; used by `span`.
        config: T and the strategy.
        rng: random generator. `segments` uses it at test time too, as the public protocol does.
        training: `span` is placed at random in training, else in the middle.
    """
    frames = config.frames
    if config.strategy == "segments":
        segment = length // frames
        if segment == 0:
            return np.arange(frames) * length // frames
        return np.arange(frames) * segment + rng.integers(segment, size=frames)
    if config.strategy == "windows":
        return _windows(length, config, rng if training else None)
    span = min(frames * SPAN_INTERVAL * (fps or SPAN_RATE) / SPAN_RATE, float(frames * (length // frames) or length))
    slack = length - span + 1
    start = rng.uniform(0, slack) if training else slack / 2
    # In videos shorter than the span the published positions would decrease; here one frame is repeated.
    end = max(start + span - SPAN_INTERVAL, start)
    return np.clip(np.linspace(start, end, frames).astype(np.int64), 0, length - 1)


def _windows(length: int, config: SamplingConfig, rng: np.random.Generator | None) -> NDArray[np.int64]:
    """Return the frames of windows, one in each of equal parts of a video: (T,); in their middle without `rng`."""
    count = config.frames // config.window
    found = []
    for part in range(count):
        first, end = part * length // count, max((part + 1) * length // count, part * length // count + 1)
        room = end - first
        step = min(config.step, max(room // config.window, 1))
        slack = max(room - step * (config.window - 1) - 1, 0)
        start = first + (slack // 2 if rng is None else int(rng.integers(slack + 1)))
        # A part with fewer frames than a window repeats some of them.
        steps = np.arange(config.window) * (step if room >= config.window else room / config.window)
        found.append(start + steps.astype(np.int64))
    return np.minimum(np.concatenate(found), length - 1)


class Timed(NamedTuple):
    """Times of the frames of a video with a variable rate.

    Attributes:
        positions: (n,) of the frames to choose from, increasing: all frames, or the stored ones.
        times: (n,) in seconds, never decreasing.
    """

    positions: NDArray[np.integer]
    times: NDArray[np.float64]


def positions_at_test(
    video_id: str,
    length: int,
    fps: float,
    config: SamplingConfig,
    seed: int,
    timed: Timed | None = None,
    view: int = 0,
) -> NDArray[np.int64]:
    """Return the positions used whenever a video is tested.

    Args:
        video_id: with `seed` it decides the draw, once per video.
        length, fps, config: as for `sample_positions`.
        seed: see `video_id`.
        timed: given if the rate varies. The middles of segments are then middles in time: a phone that records fewer
            frames in the dark, or a still screen, does not shift them. Draws are always of frames, as in all
            published results.
        view: which draw of the video's frames, from 0 (`SamplingConfig.draws`).
    """
    if config.strategy == "segments" and config.at_test == "centres":
        return centres(length, config.frames) if timed is None else centres_in_time(timed, config.frames)
    rng = np.random.default_rng([seed, zlib.crc32(video_id.encode()), *([view] if view else [])])
    return sample_positions(length, fps, config, rng, training=False)


def centres(length: int, frames: int) -> NDArray[np.int64]:
    """Return the middle frame of each of T equal parts of a video: (T,) positions."""
    return (2 * np.arange(frames) + 1) * length // (2 * frames)


def centres_in_time(timed: Timed, frames: int) -> NDArray[np.int64]:
    """Return the frame shown in the middle of each of T parts of equal duration: (T,) positions.

    The last frame counts as long as the others: the duration in the file is often a guess.
    """
    times = timed.times
    wanted = times[0] + (np.arange(frames) + 0.5) * (times[-1] + usual_step(times) - times[0]) / frames
    return timed.positions[np.searchsorted(times, wanted, side="right") - 1].astype(np.int64)
