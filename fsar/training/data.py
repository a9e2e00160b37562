"""The training episodes as tensors: which videos, which frames, which pixels, all a function of (seed, number)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fsar.config import SamplingConfig, TrainingConfig
from fsar.episodes.draw import Episode, EpisodeSampler, training_episode
from fsar.videos.augmentation import colour_jitter, crop, flip
from fsar.videos.frame_store import FrameStore
from fsar.videos.sampling import sample_positions


@dataclass(frozen=True)
class TrainingBatch:
    """One training episode.

    Attributes:
        number: of the episode, from 0.
        videos: (N·K + N·Q, T, H, W, 3) RGB bytes, supports first, by class.
        classes: (N,) class numbers among all training classes.
    """

    number: int
    videos: Tensor
    classes: Tensor


class TrainingEpisodes(Dataset[TrainingBatch]):
    """Training episodes by their number.

    Args:
        store: the frames.
        videos: the readable training videos, with the columns video_id and class_name.
        config, sampling: how episodes, frames and pixels are drawn.
        size: side of the window cut from the frames, in pixels.
        seed: of the training run.
    """

    def __init__(
        self,
        store: FrameStore,
        videos: pd.DataFrame,
        config: TrainingConfig,
        sampling: SamplingConfig,
        size: int,
        seed: int,
    ):
        self.store, self.config, self.sampling, self.size, self.seed = store, config, sampling, size, seed
        self.video_ids = videos["video_id"].to_numpy(object)
        self.sampler = EpisodeSampler(videos["class_name"].to_numpy(object), config.way, config.shot, config.queries)

    def __len__(self) -> int:
        return self.config.iterations

    def __getitem__(self, number: int) -> TrainingBatch:
        episode, rng = training_episode(self.sampler, self.seed, number)
        video_ids = self._video_ids(episode)
        clips = [self._clip(video_id, rng, i >= episode.support.size) for i, video_id in enumerate(video_ids)]
        return TrainingBatch(number, torch.from_numpy(np.stack(clips)), torch.from_numpy(episode.classes))

    def video_ids_of(self, number: int) -> list[str]:
        """Return the videos of an episode, supports first, by class."""
        return self._video_ids(training_episode(self.sampler, self.seed, number)[0])

    def _video_ids(self, episode: Episode) -> list[str]:
        return [*self.video_ids[episode.support.ravel()], *self.video_ids[episode.queries.ravel()]]

    def _clip(self, video_id: str, rng: np.random.Generator, is_query: bool) -> np.ndarray:
        length, fps = self.store.length(video_id), self.store.fps(video_id)
        positions = sample_positions(length, fps, self.sampling, rng, training=True)
        frames = crop(self.store.frames(video_id, positions), self.size, rng)
        if is_query and self.config.flip:
            frames = flip(frames, rng)
        if is_query and self.config.colour_jitter:
            frames = colour_jitter(frames, rng)
        return frames


def load_episodes(episodes: TrainingEpisodes, numbers: Sequence[int], workers: int) -> DataLoader[TrainingBatch]:
    """Load the episodes of these numbers in order, in `workers` processes or in this one."""
    return DataLoader(
        episodes,
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
