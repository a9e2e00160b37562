"""Heads that are trained on stored features: as on videos that every episode encodes, in the same views."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fsar.episodes.stored import readable_videos
from fsar.errors import UserError
from fsar.evaluation.encode_videos import EvaluationClips
from fsar.evaluation.feature_file import read_features
from fsar.files import read_json
from fsar.methods import MODELS
from fsar.training import loop
from fsar.training.data import TrainingEpisodes
from fsar.training.fit import fit
from fsar.training.setup import set_up
from fsar.training.step import train_step
from fsar.videos.store_read import FrameStore
from tests.helpers.training import encoded, job_and_files, results_of, stop_after_saving

HEADS = [name for name, parts in MODELS.items() if parts.encoded_once and not parts.fixed]


def first_step(job, files):
    """The outcomes of a training's first step, and its gradients."""
    training = set_up(job, files)
    loader = (training.episodes[number] for number in range(job.training.tasks_per_step))
    outcomes, _, _ = train_step(
        training.fabric, training.wrapped, training.optimizer, loader, job.training, training.seed
    )
    gradients = {name: p.grad for name, p in training.model.named_parameters() if p.grad is not None}
    return outcomes, gradients, training


@pytest.mark.parametrize("model", HEADS)
@pytest.mark.parametrize("views", [{"views": 2}, {"views": 0}, {"views": 2, "flip": True, "colour_jitter": True}])
def test_losses_and_gradients_are_those_of_encoding_each_episode(world, model, views):
    job, files = encoded(world, f"{model}-{len(views)}-{views['views']}", model, **views)
    outcomes, gradients, training = first_step(job, files)
    expected, wanted, encoding = first_step(job, replace(files, features=None))
    assert training.episodes.given is not None and encoding.episodes.given is None
    torch.testing.assert_close(outcomes, expected, rtol=1e-4, atol=1e-5)
    assert gradients.keys() == wanted.keys() and all(name.startswith("head.") for name in gradients)
    for name, gradient in gradients.items():
        largest = wanted[name].abs().max().item()
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-3, atol=1e-4 * largest + 1e-7, msg=name)
    assert training.validate() == encoding.validate()


def test_a_class_that_is_left_out_is_stored_and_not_drawn(world):
    """So that a benchmark and its variants, which leave out some classes, share what is stored."""
    job, files = encoded(world, "left out", "clip-fsar-head", views=2)
    few = replace(job, without=("class 1",))
    outcomes, _, training = first_step(few, files)
    expected, _, _ = first_step(few, replace(files, features=None))
    assert len(training.episodes.sampler.class_names) == 3 and len(training.episodes.given.videos) == 16
    torch.testing.assert_close(outcomes, expected, rtol=1e-4, atol=1e-5)


def test_a_stopped_training_goes_on_to_the_same_bits(world, monkeypatch):
    job, files = encoded(world, "stored whole", "clip-fsar-head")
    fit(job, files)
    again = replace(files, output=world / "stored stopped", checkpoint=world / "checkpoints/stored stopped.pt")
    stop_after_saving(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        fit(job, again)
    fit(job, again)
    assert results_of(again.output) == results_of(files.output)
    assert read_json(files.output / "training.json")["features"] == {"views": 4, "stored": True}


def test_no_frame_is_read_and_no_process_started_for_stored_features(world, monkeypatch):
    job, files = encoded(world, "no frames", "clip-fsar-head", workers=1, threads=2, iterations=2)
    monkeypatch.setattr(FrameStore, "read", lambda *a: pytest.fail("a frame was read"))
    workers, load = [], loop.load_episodes
    monkeypatch.setattr(loop, "load_episodes", lambda e, n, w, **k: workers.append(w) or load(e, n, w, **k))
    fit(job, files)
    assert workers == [0]


def test_features_that_take_too_much_room_are_not_stored(world, caplog):
    caplog.set_level("INFO")
    job, files = encoded(world, "too large", "clip-fsar-head", stored_gb=1e-6, iterations=2)
    # 16 videos in 4 views and 16 to validate with, of 8 frames of 128 numbers.
    assert "16 training videos, 4 views each, and of 16 validation videos take 0.000328 GB, more than" in caplog.text
    assert all(path.stat().st_size < 1000 for path in files.features)
    fit(job, files)
    assert read_json(files.output / "training.json")["features"] == {"views": 4, "stored": False}
    stored = encoded(world, "not too large", "clip-fsar-head", iterations=2)
    fit(*stored)
    losses = [pd.read_parquet(own.output / "metrics.parquet")["loss"] for own in (files, stored[1])]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_features_of_other_views_are_refused(world):
    job, files = encoded(world, "others", "clip-fsar-head")
    with pytest.raises(UserError, match="made from something else"):
        fit(job, replace(files, features_made={"model": "another"}))


def episodes_of(world, seed=1, **training):
    job, files = job_and_files(world, "views", "clip-fsar-head", **training)
    store = FrameStore(world, files.index)
    videos = readable_videos(files.manifest, files.index, "train")
    return TrainingEpisodes(store, videos, job.training, job.sampling, 64, seed, data_seed=0), store, videos


def test_every_training_draws_among_the_same_views(world):
    first, _, videos = episodes_of(world, seed=1, views=3)
    second, _, _ = episodes_of(world, seed=2, views=3)
    assert len(first.views) == 3 * len(videos)
    all_views = {clip.numpy().tobytes() for clip in (first.views[place] for place in range(len(first.views)))}
    assert len(all_views) > 2 * len(videos)
    for episodes in (first, second):
        clips = [clip.numpy().tobytes() for number in range(4) for clip in episodes[number].videos]
        assert set(clips) <= all_views and len(set(clips)) > 6
    assert any(not torch.equal(first[n].videos, second[n].videos) for n in range(4))
    assert torch.equal(first[3].videos, first[3].videos)


def test_without_augmentation_a_view_is_that_of_a_test(world):
    episodes, store, videos = episodes_of(world, views=0, flip=True, colour_jitter=True)
    tested = EvaluationClips(store, list(videos["video_id"]), episodes.sampling, 64, 0)
    assert len(episodes.views) == len(tested)
    assert all(torch.equal(episodes.views[place], tested[place]) for place in range(len(tested)))


def test_queries_alone_are_mirrored_in_their_views(world):
    plain, _, videos = episodes_of(world, views=2)
    episodes, _, _ = episodes_of(world, views=2, flip=True)
    count = 2 * len(videos)
    assert len(plain.views) == count and len(episodes.views) == 2 * count
    assert all(torch.equal(episodes.views[place], plain.views[place]) for place in range(count))
    of_supports = {episodes.views[place].numpy().tobytes() for place in range(count)}
    of_queries = {episodes.views[place].numpy().tobytes() for place in range(count, 2 * count)}
    for number in range(4):
        clips = [clip.numpy().tobytes() for clip in episodes[number].videos]
        assert set(clips[:3]) <= of_supports and set(clips[3:]) <= of_queries


def test_what_is_stored_is_what_the_head_asks(world):
    shapes = {}
    for model in HEADS:
        _, files = encoded(world, f"asks {model}", model, views=1)
        shapes[model] = {name: tuple(each.shape[1:]) for name, each in read_features(files.features[0]).stored.items()}
    assert shapes["clip-fsar-head"] == {"frames": (8, 128)}
    assert shapes["ts-fsar"].keys() == {"tokens", "frames"} and shapes["ts-fsar"]["tokens"][1:] == (7, 17, 96)
    assert shapes["emp-net"]["tokens"][2:] == (17, 128)
