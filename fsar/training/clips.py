"""The clips of training videos: drawn anew for an episode, or in a few views that are encoded once.

A view is a draw of a video's frames and of their window, as an episode draws them; the seed of the data, the video's id
and the view's number decide it. So trainings with other seeds, and other heads, look at the same views.
"""

import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.config import SamplingConfig, TrainingConfig
from fsar.evaluation.encode_videos import EvaluationClips
from fsar.videos.augmentation import colour_jitter, crop, draw_colour_jitter, flip
from fsar.videos.sampling import sample_positions
from fsar.videos.store_read import FrameStore


class TrainingClips:
    """Draws clips as training looks at them.

    Args:
        store: the frames.
        config, sampling: how frames and pixels are drawn.
        size: side of the window cut from the frames, in pixels.
    """

    def __init__(self, store: FrameStore, config: TrainingConfig, sampling: SamplingConfig, size: int):
        self.store, self.config, self.sampling, self.size = store, config, sampling, size

    def draw(self, video: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], tuple[int, int]]:
        """Draw the positions of T frames of a video, and the top left corner of their window."""
        positions = sample_positions(self.store.length(video), self.store.fps(video), self.sampling, rng, training=True)
        return positions, crop(self.store.size, self.size, rng)

    def fill(self, clip: Tensor, video: int, rng: np.random.Generator, is_query: bool) -> None:
        """Fill a clip, (T, H, W, 3) bytes, with a draw of a video; queries alone are mirrored and change colours."""
        positions, window = self.draw(video, rng)
        self.store.read(video, positions, *window, clip.numpy())
        if is_query and self.config.flip:
            clip.copy_(flip(clip, rng))
        if is_query and self.config.colour_jitter:
            clip.copy_(colour_jitter(clip, draw_colour_jitter(rng)))


class Views(EvaluationClips):
    """The views of training videos: all videos in the first view, then in the next; (T, size, size, 3) RGB bytes each.

    Where queries are augmented, as many views follow that are theirs: those before are of support videos.

    Args:
        clips: what draws them.
        video_ids: the training videos.
        seed: of the data.
    """

    def __init__(self, clips: TrainingClips, video_ids: list[str], seed: int):
        asked = clips.config.views
        assert asked != "fresh"
        self.clips, self.augmented, self.count = clips, asked > 0, max(asked, 1)
        self.own_of_queries = self.augmented and (clips.config.flip or clips.config.colour_jitter)
        number = self.count * (2 if self.own_of_queries else 1)
        super().__init__(clips.store, video_ids, clips.sampling, clips.size, seed, number)

    def draw(self, videos: int, supports: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw a view of each video of an episode, supports first, by the episode's generator."""
        views = rng.integers(self.count, size=videos)
        if self.own_of_queries:
            views[supports:] += self.count
        return views

    def __getitem__(self, place: int) -> Tensor:
        if not self.augmented:
            return super().__getitem__(place)
        clip = torch.empty(self.sampling.frames, self.size, self.size, 3, dtype=torch.uint8)
        self.fill(clip, place)
        return clip

    def fill(self, clip: Tensor, place: int) -> None:
        """Fill a clip with the one at a place."""
        if not self.augmented:
            clip.copy_(super().__getitem__(place))
            return
        number, view = int(self.numbers[place]), place // self.videos
        rng = np.random.default_rng([self.seed, 7, zlib.crc32(self.store.video_id(number).encode()), view])
        self.clips.fill(clip, number, rng, is_query=view >= self.count)
