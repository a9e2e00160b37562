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
from fsar.evaluation.kept_features import Features
from fsar.methods.needs import Given
from fsar.training.clips import TrainingClips, Views
from fsar.videos.store_read import FrameStore

# Episodes that each loader process prepares in advance.
PREFETCH = 4


class TrainingBatch(NamedTuple):
    """One training episode.

    Attributes:
        number: of the episode, from 0.
        videos: (N·K + N·Q + U, T, H, W, 3) RGB bytes, supports first, by class, unknown queries last; or what the
            backbone gives of them.
        classes: (N,) class numbers among all training classes.
    """

    number: int
    videos: Tensor | Given
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
        data_seed: of the data, which decides views; without it, or with `training.views: fresh`, each episode draws
            its own.
        given: what the backbone gives of all views of these videos, and maybe of others, where that is stored.
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
        data_seed: int | None = None,
        given: Features | None = None,
    ):
        self.store, self.config, self.sampling, self.size, self.seed = store, config, sampling, size, seed
        self._used: deque[Tensor] = deque()
        self.clips = TrainingClips(store, config, sampling, size)
        video_ids = list(videos["video_id"])
        self.numbers = store.numbers(video_ids)
        with_views = data_seed is not None and config.views != "fresh"
        self.views = Views(self.clips, video_ids, data_seed) if with_views and data_seed is not None else None
        self.given = given
        self.rows = np.array([given.videos[video_id] for video_id in video_ids] if given else [], np.int64)
        self.sampler = EpisodeSampler(
            videos["class_name"].to_numpy(object), config.way, config.fixed_shot, config.queries
        )
        self.unknown = unknown
        self.sampler.check_unknown(unknown)

    def __len__(self) -> int:
        return self.config.iterations

    def __getitem__(self, number: int) -> TrainingBatch:
        episode, rng = training_episode(self.sampler, self.seed, number)
        places = np.concatenate([_places(episode), self._unknown_of(episode, number)])
        return TrainingBatch(number, self._videos(places, episode.support.size, rng), torch.from_numpy(episode.classes))

    def video_ids_of(self, number: int) -> list[str]:
        """Return the videos of an episode, supports first, by class, and unknown queries last."""
        episode = training_episode(self.sampler, self.seed, number)[0]
        places = np.concatenate([_places(episode), self._unknown_of(episode, number)])
        return [self.store.video_id(video) for video in self.numbers[places]]

    def videos_of(self, episode: Episode) -> NDArray[np.int64]:
        """Return the numbers of an episode's videos in the store, supports first, by class."""
        return self.numbers[_places(episode)]

    def _unknown_of(self, episode: Episode, number: int) -> NDArray[np.int64]:
        """Return the places of an episode's unknown queries among the training videos."""
        if not self.unknown:
            return np.empty(0, np.int64)
        rng = np.random.default_rng([self.seed, 9, number])
        return self.sampler.draw_unknown(episode.classes, self.unknown, rng)[1]

    def _videos(self, places: NDArray[np.int64], supports: int, rng: np.random.Generator) -> Tensor | Given:
        """Return an episode's videos, drawn by its generator: their clips, or what is stored of these."""
        views = self.views.draw(len(places), supports, rng) if self.views else None
        if self.given is not None and views is not None:
            rows = torch.from_numpy(views * len(self.given.videos) + self.rows[places])
            return Given({name: each[rows] for name, each in self.given.stored.items()})
        clips = self._memory(len(places), self.sampling.frames, self.size, self.size, 3)
        for number, (place, clip) in enumerate(zip(places, clips, strict=True)):
            if self.views is None or views is None:
                self.clips.fill(clip, int(self.numbers[place]), rng, is_query=number >= supports)
            else:
                self.views.fill(clip, int(views[number] * self.views.videos + place))
        return clips

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


def _places(episode: Episode) -> NDArray[np.int64]:
    """Return the places of an episode's videos among the training videos, supports first, by class."""
    return np.concatenate([episode.support.ravel(), episode.queries.ravel()])


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
