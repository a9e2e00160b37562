"""The episodes that a training loads."""

import numpy as np
import pandas as pd
import pytest
import torch

from fsar.config import SamplingConfig
from fsar.episodes.draw import training_episode
from fsar.episodes.stored import readable_videos
from fsar.errors import UserError
from fsar.evaluation import encode_videos as encode_module
from fsar.model.few_shot import FewShotModel
from fsar.training.data import TrainingEpisodes, load_episodes
from fsar.videos.store_read import FrameStore
from tests.helpers.training import job_and_files, train


def test_training_draws_where_a_span_lies(world):
    job, files = job_and_files(world, "span")
    videos = readable_videos(files.manifest, files.index, "train")
    sampling = job.sampling.model_copy(update={"strategy": "span"})
    store = FrameStore(files.index.parent, files.index)
    episodes = TrainingEpisodes(store, videos, job.training, sampling, 64, 1)
    drawn = {tuple(episodes.clips.draw(0, np.random.default_rng(seed))[0]) for seed in range(20)}
    assert len(drawn) > 1


def test_validation_loads_its_videos_by_one_loader(world, monkeypatch):
    made, loader = [], encode_module.DataLoader
    monkeypatch.setattr(encode_module, "DataLoader", lambda *a, **k: made.append(loader(*a, **k)) or made[-1])
    encode, modes = FewShotModel.encode, []
    monkeypatch.setattr(
        FewShotModel, "encode", lambda self, videos: modes.append(self.training) or encode(self, videos)
    )
    short = {"way": 2, "iterations": 2, "tasks_per_step": 1, "validate_every": 1}
    files = train(world, "one loader", workers=1, threads=2, **short)
    assert pd.read_parquet(files.output / "metrics.parquet")["val_accuracy"].notna().sum() == 2
    assert modes and not any(modes)  # it decides as the tests do: without dropout, by running statistics
    assert len(made) == 1 and made[0].persistent_workers and not made[0].pin_memory
    store = FrameStore(world, world / "index.parquet")
    on_a_gpu = encode_module.load_clips(store, [], SamplingConfig(), 64, 0, torch.device("cuda"), 1)
    assert on_a_gpu.pin_memory


def test_too_little_shared_memory_is_told_with_its_key(world, monkeypatch):
    def full(_):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.UntypedStorage, "_new_shared", full)  # loader processes are forks of this one
    with pytest.raises(UserError, match=r"/dev/shm.*--shm-size.*set training\.workers to 0"):
        train(world, "little memory", workers=1, threads=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_processes_give_the_same_episodes(world, workers):
    """In order, pixel for pixel, though their memory is used again and again."""
    job, _ = job_and_files(world, "loader", flip=True, colour_jitter=True, iterations=24)
    store = FrameStore(world, world / "index.parquet")
    videos = pd.read_parquet(world / "manifest.parquet").query("split == 'train'")
    episodes = TrainingEpisodes(store, videos, job.training, job.sampling, 64, job.training_seed)
    numbers = range(3, 24)
    for number, batch in zip(numbers, load_episodes(episodes, numbers, workers), strict=True):
        expected = episodes[number]
        assert batch.number == number and torch.equal(batch.classes, expected.classes)
        assert torch.equal(batch.videos, expected.videos)


@pytest.mark.parametrize("flipped", [True, False])
def test_only_queries_are_mirrored_and_only_where_the_config_says_so(world, flipped):
    job, _ = job_and_files(world, "mirrored", flip=flipped, iterations=6)
    store = FrameStore(world, world / "index.parquet")
    videos = pd.read_parquet(world / "manifest.parquet").query("split == 'train'")
    episodes = TrainingEpisodes(store, videos, job.training, job.sampling, 64, job.training_seed)
    mirrored = 0
    for number in range(6):
        episode, rng = training_episode(episodes.sampler, job.training_seed, number)
        for place, (video, clip) in enumerate(zip(episodes.videos_of(episode), episodes[number].videos, strict=True)):
            positions, (top, left) = episodes.clips.draw(video, rng)
            plain = torch.from_numpy(store.frames(video, positions)[:, top : top + 64, left : left + 64])
            is_query = place >= episode.support.size
            turned = is_query and flipped and rng.random() < 0.5
            assert torch.equal(clip, plain.flip(2) if turned else plain)
            mirrored += turned
    assert (mirrored > 0) is flipped
