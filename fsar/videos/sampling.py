"""Temporal sampling: which T frames of a video the model sees, as in the public CLIP-FSAR protocol."""

import zlib

import numpy as np
from numpy.typing import NDArray

from fsar.config import SamplingConfig

# Kinetics: T steps of 35 frames of a video of 12 frames per second make the span the frames are taken from.
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
        rng: source of chance. `segments` uses it at test time too, as the public protocol does.
        training: `span` is placed at random in training and in the middle otherwise.
    """
    frames = config.frames
    if config.strategy == "segments":
        segment = length // frames
        if segment == 0:
            return np.arange(frames) * length // frames
        return np.arange(frames) * segment + rng.integers(segment, size=frames)
    span = min(frames * SPAN_INTERVAL * (fps or SPAN_RATE) / SPAN_RATE, float(frames * (length // frames) or length))
    slack = length - span + 1
    start = rng.uniform(0, slack) if training else slack / 2
    # In videos shorter than the interval the protocol's formula would run backwards; there, all frames are one.
    end = max(start + span - SPAN_INTERVAL, start)
    return np.clip(np.linspace(start, end, frames).astype(np.int64), 0, length - 1)


def positions_at_test(video_id: str, length: int, fps: float, config: SamplingConfig, seed: int) -> NDArray[np.int64]:
    """Return the positions used whenever a video is tested: drawn once per video, from the seed and its id."""
    rng = np.random.default_rng([seed, zlib.crc32(video_id.encode())])
    return sample_positions(length, fps, config, rng, training=False)
