"""Loading ahead of a model in a thread: the same features, as many batches as are said, and no thread afterwards."""

import threading

import pytest
import torch

from fsar.config import SamplingConfig
from fsar.errors import UserError
from fsar.evaluation import encode_videos as encode_module
from fsar.evaluation.encode_videos import BATCH, encode_videos, load_clips
from fsar.evaluation.load_ahead import AHEAD, load_ahead
from perf.worlds import short_clips, store_of
from tests.evaluation.test_evaluation import Frames

CPU = torch.device("cpu")


@pytest.fixture
def ahead(monkeypatch):
    """Load as for a GPU, though the model computes on a CPU."""
    own = encode_module._batches
    monkeypatch.setattr(encode_module, "_batches", lambda clips, device: own(clips, torch.device("mps")))


def frames(pictures):
    return {"frames": pictures.float().mean(dim=(2, 3)), "largest": pictures.float().amax(dim=(1, 2, 3))}


@pytest.fixture(scope="module")
def of_two_clips(tmp_path_factory):
    """A store of JPEGs: two videos, whose twelve draws are a batch and a half."""
    folder = tmp_path_factory.mktemp("ahead")
    return store_of(short_clips(folder, 2), 2, folder)


def test_features_are_the_same_and_their_clips_are_loaded_in_one_other_thread(of_two_clips, monkeypatch, request):
    store, videos = of_two_clips
    threads, read = [], store.read
    monkeypatch.setattr(store, "read", lambda *a: threads.append(threading.current_thread()) or read(*a))
    clips = load_clips(store, list(videos["video_id"]), SamplingConfig(views=12), 224, 0, CPU, views=12)
    plain = encode_videos(frames, clips, CPU)
    assert set(threads) == {threading.main_thread()}
    threads.clear()
    request.getfixturevalue("ahead")
    found = encode_videos(frames, clips, CPU)
    assert len(set(threads)) == 1 and threads[0] is not threading.main_thread() and len(threads) == len(clips.dataset)
    assert found.keys() == plain.keys() and all(torch.equal(found[name], plain[name]) for name in plain)
    assert len(plain["frames"].unique(dim=0)) > BATCH  # clips differ, so an exchange of batches would be seen


def test_a_video_of_the_third_batch_that_cannot_be_read_is_told_and_no_thread_is_left(ahead):
    class Damaged(Frames):
        def read(self, number, positions, top, left, clip):
            if number == 2 * BATCH + 1:
                raise UserError(f"damaged at the video v{number}")
            super().read(number, positions, top, left, clip)

    names, encoded, before = [f"v{n}" for n in range(5 * BATCH)], [], threading.active_count()
    clips = load_clips(Damaged(), names, SamplingConfig(), 8, 0, CPU)
    with pytest.raises(UserError, match=f"^damaged at the video v{2 * BATCH + 1}$"):
        encode_videos(lambda videos: encoded.append(len(videos)) or frames(videos), clips, CPU)
    assert encoded == [BATCH, BATCH] and threading.active_count() == before


def test_a_feature_that_is_not_finite_is_told_with_its_video_and_no_thread_is_left(ahead):
    def encode(videos):
        own = frames(videos)
        own["frames"][videos[:, 0, 0, 0, 0] == BATCH + 3] = torch.nan
        return own

    clips = load_clips(Frames(), [f"v{n}" for n in range(60)], SamplingConfig(), 8, 0, CPU)
    before = threading.active_count()
    with pytest.raises(UserError, match=f"v{BATCH + 3}\\b"):
        encode_videos(encode, clips, CPU)
    assert threading.active_count() == before


def test_items_are_loaded_while_one_is_used_and_no_more_than_said():
    loaded, next_is_there = [], threading.Event()

    def items():
        for number in range(9):
            if number == AHEAD:
                next_is_there.set()
            loaded.append(number)
            yield number

    taken = []
    with load_ahead(items()) as rest:
        for number in rest:
            assert next_is_there.wait(60)  # the first is in use
            taken.append(number)
            assert len(loaded) <= number + 1 + AHEAD
    assert taken == loaded == list(range(9))


def test_who_takes_no_more_leaves_no_thread():
    before = threading.active_count()
    with load_ahead(range(1000)) as rest:
        assert next(rest) == 0
    assert threading.active_count() == before


def test_it_is_for_devices_beside_the_cpu_that_no_process_loads_for():
    clips = load_clips(Frames(), ["v1"], SamplingConfig(), 8, 0, CPU)
    by_processes = load_clips(Frames(), ["v1"], SamplingConfig(), 8, 0, CPU, workers=1)
    for loader, device, plain in ((clips, "cpu", True), (by_processes, "mps", True), (clips, "mps", False)):
        with encode_module._batches(loader, torch.device(device)) as batches:
            assert (batches is loader) == plain
