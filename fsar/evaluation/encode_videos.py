"""Encodes each test video once: at test time its features do not depend on the episode."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fsar.config import SamplingConfig
from fsar.evaluation.load_ahead import load_ahead
from fsar.job import progress
from fsar.methods.head import Head
from fsar.methods.needs import Tensors
from fsar.model.finite import check_finite
from fsar.videos.augmentation import crop
from fsar.videos.sampling import positions_at_test
from fsar.videos.store_read import FrameStore

# Videos in one call of the backbone.
BATCH = 16


class EvaluationClips(Dataset[Tensor]):
    """The test frames of each video: (T, size, size, 3) RGB bytes. All videos in one view, then in the next."""

    def __init__(
        self,
        store: FrameStore,
        video_ids: Sequence[str],
        sampling: SamplingConfig,
        size: int,
        seed: int,
        views: int = 1,
    ):
        self.store, self.sampling, self.size, self.seed = store, sampling, size, seed
        self.videos = len(video_ids)
        self.numbers = np.tile(store.numbers(video_ids), views)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> Tensor:
        number = self.numbers[place]
        length, fps = self.store.length(number), self.store.fps(number)
        timed = self.store.timed(number) if self.sampling.at_test == "centres" else None
        name, view = self.store.video_id(number), place // self.videos
        positions = positions_at_test(name, length, fps, self.sampling, self.seed, timed, view)
        clip = np.empty((len(positions), self.size, self.size, 3), np.uint8)
        self.store.read(number, positions, *crop(self.store.size, self.size, None), clip)
        return torch.from_numpy(clip)


def load_clips(
    store: FrameStore,
    video_ids: Sequence[str],
    sampling: SamplingConfig,
    size: int,
    seed: int,
    device: torch.device,
    workers: int = 0,
    views: int = 1,
) -> DataLoader[Tensor]:
    """Load the frames of videos in order; the loader can be used repeatedly.

    Args:
        store, video_ids: which videos.
        sampling, seed: which frames of them.
        size: side of the window cut from the frames, in pixels.
        device: where they are encoded; a GPU copies from pinned memory while it computes.
        workers: processes that read frames and stay alive for the next use; 0 reads in this process, for a GPU in a
            thread beside the model.
        views: draws of each video's frames; all videos come in the first, then in the next.
    """
    return in_batches(EvaluationClips(store, video_ids, sampling, size, seed, views), device, workers)


def in_batches(clips: EvaluationClips, device: torch.device, workers: int = 0) -> DataLoader[Tensor]:
    """Load clips in order, `BATCH` at once; arguments as of `load_clips`."""
    return DataLoader(
        clips,
        batch_size=BATCH,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )


@torch.inference_mode()
def encode_videos(
    encode: Callable[[Tensor], Tensors], clips: DataLoader[Tensor], device: torch.device, subject: str = "The model"
) -> Tensors:
    """Encode each video once.

    Args:
        encode: turns (V, T, H, W, 3) RGB bytes into features of each video, by a model in evaluation mode.
        clips: of `load_clips`.
        device: where the model is.
        subject: name of the encoder, for messages.

    Returns:
        (V, …) float32 tensors by name, on the CPU, in the order of the clips.

    Raises:
        UserError: a feature is NaN or infinite.
    """
    videos = cast(EvaluationClips, clips.dataset)
    kept: Tensors = {}
    done = 0
    with _batches(clips, device) as batches:
        for batch in progress(batches, "encoding videos", "batch", total=len(clips)):
            part = encode(batch.to(device, non_blocking=True))
            for name, values in part.items():
                if name not in kept:
                    kept[name] = torch.empty(len(videos), *values.shape[1:])
                kept[name][done : done + len(values)] = values
                names = map(videos.store.video_id, videos.numbers[done : done + len(values)])
                check_finite(kept[name][done : done + len(values)], subject, names)
            done += len(batch)
    return kept or {name: values[:0].float().cpu() for name, values in encode_black(encode, videos, device).items()}


def _batches(clips: DataLoader[Tensor], device: torch.device) -> AbstractContextManager[Iterable[Tensor]]:
    """Load batches; for a GPU ahead of it, which processes do by themselves. On a CPU the model has the cores."""
    if device.type == "cpu" or clips.num_workers:
        return nullcontext(clips)
    # Of which GPU pinned memory is, each thread has to say.
    return load_ahead(clips, torch.cuda.device(device) if device.type == "cuda" else None)


@torch.inference_mode()
def store_videos(head: Head, given: Tensors, device: torch.device) -> Tensors:
    """Return what a head keeps of videos, of what its backbone gives of them: (V, …) each, on the CPU.

    Args:
        head: in evaluation mode.
        given: of the videos, (V, …) each.
        device: where the head is.
    """
    parts = [
        head.store({name: each[start : start + BATCH].to(device) for name, each in given.items()})
        for start in range(0, len(next(iter(given.values()))), BATCH)
    ]
    return {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}


@torch.inference_mode()
def encode_black(encode: Callable[[Tensor], Tensors], clips: EvaluationClips, device: torch.device) -> Tensors:
    """Encode a black video as large as the clips, for the sizes of what is kept; arguments as of `encode_videos`."""
    size = clips.size
    return encode(torch.zeros(1, clips.sampling.frames, size, size, 3, dtype=torch.uint8, device=device))
