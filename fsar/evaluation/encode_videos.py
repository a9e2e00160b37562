"""What is kept of each test video, once: at test time it does not depend on the episode."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fsar.config import SamplingConfig
from fsar.job import progress
from fsar.model.heads.head import Tensors
from fsar.videos.augmentation import crop
from fsar.videos.sampling import positions_at_test
from fsar.videos.store_read import FrameStore

# Videos in one call of the backbone.
BATCH = 16


class EvaluationClips(Dataset[Tensor]):
    """The frames each video is tested with: (T, size, size, 3) RGB bytes."""

    def __init__(self, store: FrameStore, video_ids: Sequence[str], sampling: SamplingConfig, size: int, seed: int):
        self.store, self.sampling, self.size, self.seed = store, sampling, size, seed
        self.numbers = store.numbers(video_ids)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> Tensor:
        number = self.numbers[place]
        length, fps = self.store.length(number), self.store.fps(number)
        positions = positions_at_test(self.store.video_id(number), length, fps, self.sampling, self.seed)
        clip = np.empty((len(positions), self.size, self.size, 3), np.uint8)
        self.store.read(number, positions, *crop(self.store.size, self.size, None), clip)
        return torch.from_numpy(clip)


@torch.inference_mode()
def encode_videos(
    encode: Callable[[Tensor], Tensors],
    image_size: int,
    store: FrameStore,
    video_ids: Sequence[str],
    sampling: SamplingConfig,
    seed: int,
    device: torch.device,
    workers: int = 0,
) -> Tensors:
    """Encode each video once.

    Args:
        encode: turns (V, T, H, W, 3) RGB bytes into what is kept of each video, by a model in evaluation mode.
        image_size: side of its pictures, in pixels.
        store, video_ids: which frames.
        sampling, seed: which of them.
        device: where the model is.
        workers: processes that read frames; 0 reads in this one.

    Returns:
        (V, …) float32 tensors by name, on the CPU, in the order of `video_ids`.
    """
    clips = EvaluationClips(store, video_ids, sampling, image_size, seed)
    loader = DataLoader(clips, batch_size=BATCH, num_workers=workers)
    kept: Tensors = {}
    done = 0
    for batch in progress(loader, "encoding videos", "batch"):
        part = {name: videos.float().cpu() for name, videos in encode(batch.to(device, non_blocking=True)).items()}
        for name, videos in part.items():
            if name not in kept:
                kept[name] = torch.empty(len(clips), *videos.shape[1:])
            kept[name][done : done + len(videos)] = videos
        done += len(batch)
    if kept:
        return kept
    black = torch.zeros(1, sampling.frames, image_size, image_size, 3, dtype=torch.uint8, device=device)
    return {name: videos[:0].float().cpu() for name, videos in encode(black).items()}
