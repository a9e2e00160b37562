"""Training with unknown queries: which videos they are, and that a training of each kind goes through."""

import pandas as pd
import pytest

from fsar.config import TrainingConfig
from fsar.episodes.draw import training_episode
from fsar.episodes.stored import readable_videos
from fsar.methods import MODELS
from fsar.model.trained_file import read_trained
from fsar.training.data import TrainingEpisodes
from fsar.videos.store_read import FrameStore
from tests.helpers.training import job_and_files, train

SHORT = {"iterations": 2, "tasks_per_step": 1, "validate_every": 2, "way": 2}


def test_unknown_queries_follow_the_videos_that_an_episode_has_without_them(world):
    job, files = job_and_files(world, "unknown", way=2, queries=1)
    videos = readable_videos(files.manifest, files.index, "train")
    store, classes = FrameStore(files.index.parent, files.index), videos.set_index("video_id")["class_name"]
    plain, opened = (
        TrainingEpisodes(store, videos, job.training, job.sampling, 64, job.training_seed, unknown)
        for unknown in (0, 3)
    )
    drawn = set()
    for number in range(12):
        known, both = plain.video_ids_of(number), opened.video_ids_of(number)
        assert both[: len(known)] == known and len(set(both)) == len(both) == len(known) + 3
        names = plain.sampler.class_names[training_episode(plain.sampler, job.training_seed, number)[0].classes]
        assert not set(names) & set(classes[both[len(known) :]])
        drawn |= set(both[len(known) :])
    assert len(drawn) > 6
    before, now = plain[5], opened[5]
    assert (now.videos[: len(before.videos)] == before.videos).all() and len(now.videos) == len(before.videos) + 3


@pytest.mark.parametrize("model", ["otam-eos", "otam-gc", "otam-frdisc", "trx-frdisc"])
def test_a_training_with_unknown_queries(world, model):
    files = train(world, model, model, **SHORT)
    metrics = pd.read_parquet(files.output / "metrics.parquet")
    assert metrics["loss"].notna().all() and ("unknown_loss" in metrics) == (MODELS[model].unknown != "gc")
    names = " ".join(read_trained(files.output / "model.safetensors", MODELS[model], ["head"]))
    assert ("discriminator" in names, "garbage" in names) == (model.endswith("frdisc"), model.endswith("gc"))


def test_how_many_unknown_queries_a_training_has():
    job = {"way": 3, "queries": 2}
    assert TrainingConfig(**job).unknown_queries == 6 and TrainingConfig(**job, unknown=4).unknown_queries == 4
    plain, learns = MODELS["otam"], MODELS["otam-eos"]
    for key in ("unknown", "unknown_weight"):
        assert learns.reads("training", key) and not plain.reads("training", key)
    assert plain.reads("training", "way")
