"""The training episodes as tensors: which videos, which frames, which pixels, all a function of (seed, number)."""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from fsar.config import SamplingConfig, TrainingConfig
from fsar.episodes.draw import Episode, EpisodeSampler, training_episode
from fsar.videos.augmentation import colour_jitter, crop, draw_colour_jitter, flip
from fsar.videos.sampling import sample_positions
from fsar.videos.store_read import FrameStore

# Episodes that each loader process prepares in advance.
PREFETCH = 4


class TrainingBatch(NamedTuple):
    """One training episode.

    Attributes:
        number: of the episode, from 0.
        videos: (N·K + N·Q + U, T, H, W, 3) RGB bytes, supports first, by class; unknown queries last.
        classes: (N,) class numbers among all training classes.
    """

    number: int
    videos: Tensor
    classes: Tensor


class TimedLoader(Iterator[TrainingBatch]):
    """The batches of a loader; `seconds` adds up the time waited for them."""

    def __init__(self, loader: DataLoader[TrainingBatch]):
        self.batches = iter(loader)
        self.seconds = 0.0

    def __next__(self) -> TrainingBatch:
        started = time.monotonic()
        batch = next(self.batches)
        self.seconds += time.monotonic() - started
        return batch


class TrainingEpisodes(Dataset[TrainingBatch]):
    """Training episodes by their number.

    Args:
        store: the frames.
        videos: the readable training videos, with the columns video_id and class_name.
        config, sampling: how episodes, frames and pixels are drawn.
        size: side of the window cut from the frames, in pixels.
        seed: of the training run.
        unknown: U, queries of other classes in each episode; its other videos are the same without them.
    """

    def __init__(
        self,
        store: FrameStore,
        videos: pd.DataFrame,
        config: TrainingConfig,
        sampling: SamplingConfig,
        size: int,
        seed: int,
        unknown: int = 0,
    ):
        self.store, self.config, self.sampling, self.size, self.seed = store, config, sampling, size, seed
        self._used: deque[Tensor] = deque()
        self.numbers = store.numbers(list(videos["video_id"]))
        self.sampler = EpisodeSampler(
            videos["class_name"].to_numpy(object), config.way, config.fixed_shot, config.queries
        )
        self.unknown = unknown
        self.sampler.check_unknown(unknown)

    def __len__(self) -> int:
        return self.config.iterations

    def __getitem__(self, number: int) -> TrainingBatch:
        episode, rng = training_episode(self.sampler, self.seed, number)
        videos = np.concatenate([self.videos_of(episode), self._unknown_of(episode, number)])
        clips = self._memory(len(videos), self.sampling.frames, self.size, self.size, 3)
        for place, (video, clip) in enumerate(zip(videos, clips, strict=True)):
            self._fill(clip, video, rng, is_query=place >= episode.support.size)
        return TrainingBatch(number, clips, torch.from_numpy(episode.classes))

    def video_ids_of(self, number: int) -> list[str]:
        """Return the videos of an episode, supports first, by class, and unknown queries last."""
        episode = training_episode(self.sampler, self.seed, number)[0]
        videos = np.concatenate([self.videos_of(episode), self._unknown_of(episode, number)])
        return [self.store.video_id(video) for video in videos]

    def videos_of(self, episode: Episode) -> NDArray[np.int64]:
        """Return the numbers of an episode's videos in the store, supports first, by class."""
        return self.numbers[np.concatenate([episode.support.ravel(), episode.queries.ravel()])]

    def _unknown_of(self, episode: Episode, number: int) -> NDArray[np.int64]:
        """Return the numbers of an episode's unknown queries in the store."""
        if not self.unknown:
            return np.empty(0, np.int64)
        rng = np.random.default_rng([self.seed, 9, number])
        return self.numbers[self.sampler.draw_unknown(episode.classes, self.unknown, rng)[1]]

    def draw_clip(self, video: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], tuple[int, int]]:
        """Draw the positions of T frames of a video, and the top left corner of their window."""
        positions = sample_positions(self.store.length(video), self.store.fps(video), self.sampling, rng, training=True)
        return positions, crop(self.store.size, self.size, rng)

    def _fill(self, clip: Tensor, video: int, rng: np.random.Generator, is_query: bool) -> None:
        positions, window = self.draw_clip(video, rng)
        self.store.read(video, positions, *window, clip.numpy())
        if is_query and self.config.flip:
            clip.copy_(flip(clip, rng))
        if is_query and self.config.colour_jitter:
            clip.copy_(colour_jitter(clip, draw_colour_jitter(rng)))

    def _memory(self, *shape: int) -> Tensor:
        """Return memory for the clips of an episode.

        In a loader process it is shared with the training process, which avoids a copy, and reused:
        36 MB of fresh memory per episode would cost a tenth of the time of decoding the JPEGs.
        """
        if get_worker_info() is None:
            return torch.empty(shape, dtype=torch.uint8)
        if len(self._used) < PREFETCH + 2:  # one more than may be waiting or in use
            storage = torch.UntypedStorage._new_shared(math.prod(shape))  # as torch's own default_collate does
            self._used.append(torch.empty(0, dtype=torch.uint8).set_(storage).view(shape))
        else:
            self._used.append(self._used.popleft())
        return self._used[-1]


def load_episodes(
    episodes: TrainingEpisodes, numbers: Sequence[int], workers: int, pin_memory: bool = False
) -> DataLoader[TrainingBatch]:
    """Load the episodes of these numbers in order, in `workers` processes or in this one.

    With workers, a batch is overwritten some time after the next one is requested.
    """
    return DataLoader(
        episodes,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=PREFETCH if workers else None,
        pin_memory=pin_memory,
    )
