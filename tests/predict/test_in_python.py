"""`FewShotClassifier` as Python has it: frames in memory, further examples, batches, streams, and names of models."""

import av
import numpy as np
import pandas as pd
import pytest
import torch

import fsar
from fsar import FewShotClassifier
from fsar.errors import UserError
from fsar.predict import load
from fsar.predict.check import check_support
from tests.helpers.predicting import CLASSES, make_clip, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("python"))


@pytest.fixture
def classifier(world):
    return FewShotClassifier(world.model, device="cpu").support(world.examples)


def clips_of(world):
    return sorted(world.examples.rglob("*.mp4"))


def pictures_of(clip):
    with av.open(str(clip)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def numbers(table):
    return table.filter(regex=r"^(p|score)\(").to_numpy()


def test_frames_in_memory_are_labelled_as_their_file(world, classifier):
    clip = clips_of(world)[0]
    pictures = pictures_of(clip)
    table = classifier.predict([clip, pictures, torch.from_numpy(pictures)])
    assert table["label"].nunique() == 1 and (table["path"][1:].str.match(r"frames-[0-9a-f]{8}$")).all()
    # Through RGB the colours are rounded once more than through the file.
    np.testing.assert_allclose(numbers(table)[1:], numbers(table)[:1].repeat(2, axis=0), atol=0.05)
    np.testing.assert_array_equal(numbers(table)[1], numbers(table)[2])


def test_frames_in_memory_are_examples_too(world):
    given = {name: [pictures_of(clip) for clip in clips_of(world) if clip.parent.name == name] for name in CLASSES}
    of_frames = FewShotClassifier(world.model, device="cpu").support(given)
    of_files = FewShotClassifier(world.model, device="cpu").support(world.examples)
    clips = clips_of(world)
    assert list(of_frames.predict(clips)["label"]) == list(of_files.predict(clips)["label"])


@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((8, 3, 32, 32), np.uint8),
        np.zeros((8, 32, 32, 3), np.float32),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((0, 32, 32, 3), np.uint8),
    ],
    ids=["channels first", "floats", "one picture", "none"],
)
def test_frames_of_another_shape_or_type_are_told(classifier, pictures):
    with pytest.raises(UserError, match=r"\(T, H, W, 3\) RGB bytes"):
        classifier.predict([pictures])


def test_examples_that_are_added_count_as_if_given_at_once(world, tmp_path):
    clips = {name: sorted((world.examples / name).iterdir()) for name in CLASSES}
    first, *others = CLASSES
    added = FewShotClassifier(world.model, device="cpu").support({first: clips[first][:1], others[0]: clips[others[0]]})
    added.add(first, clips[first][1:])
    for name in others[1:]:
        added.add(name, clips[name])
    at_once = FewShotClassifier(world.model, device="cpu").support({name: clips[name] for name in added.class_names})
    new = clips_of(world)[:3]
    pd.testing.assert_frame_equal(added.predict(new), at_once.predict(new), atol=1e-5)
    added.save(tmp_path / "a.safetensors")
    again = FewShotClassifier(world.model, device="cpu").load_support(tmp_path / "a.safetensors")
    pd.testing.assert_frame_equal(again.predict(new), added.predict(new))


def test_examples_cannot_be_added_to_names_alone(world):
    by_name = FewShotClassifier(world.model, device="cpu").support(list(CLASSES))
    with pytest.raises(UserError, match="give examples of each class"):
        by_name.add("another", clips_of(world)[:1])


def test_batches_and_threads_change_nothing_that_counts(world, classifier, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    clips = [*clips_of(world)[:3], broken, *clips_of(world)[3:6]]
    one_by_one = classifier.predict(clips, batch_size=1)
    pd.testing.assert_frame_equal(classifier.predict(clips, workers=2), one_by_one)  # to the last bit
    together = classifier.predict(clips, batch_size=4, workers=2)
    assert list(together["path"]) == list(one_by_one["path"]) and together["reason"][3]
    np.testing.assert_allclose(numbers(together), numbers(one_by_one), atol=1e-5)


def test_more_than_one_class_is_named(world, classifier):
    clips = clips_of(world)[:2]
    table = classifier.predict(clips, top_k=3)
    number = classifier.called
    for place in (2, 3):
        assert [f"label_{place}", f"{number}_{place}"] == [c for c in table.columns if c.endswith(f"_{place}")]
    for row, scores in zip(table.itertuples(), numbers(table), strict=True):
        order = np.argsort(-scores)
        assert [row.label, row.label_2, row.label_3] == [classifier.class_names[i] for i in order[:3]]
        assert getattr(row, f"{number}_2") == pytest.approx(scores[order[1]])
    assert not [column for column in classifier.predict(clips).columns if column.startswith("label_")]


def test_a_stream_says_what_a_video_says(world, classifier):
    clip = clips_of(world)[0]
    pictures = pictures_of(clip)
    with av.open(str(clip)) as container:
        fps = float(container.streams.video[0].average_rate)
    seconds = len(pictures) / fps
    streamed = list(classifier.stream(iter(pictures), fps, window=seconds / 2, stride=seconds / 4, threshold=-9.0))
    table = classifier.spot(clip, window=seconds / 2, stride=seconds / 4, threshold=-9.0)
    assert len(streamed) > 2 and {window.label for window in streamed} >= set(table["label"])
    assert list(table.columns) == ["start", "end", "label", "score"] and table["end"].iloc[-1] <= seconds + 1 / fps


def test_windows_of_a_stream_come_before_its_end(world, classifier):
    seen = []

    def camera():
        for picture in pictures_of(clips_of(world)[0]).repeat(20, axis=0):
            seen.append(1)
            yield picture

    next(classifier.stream(camera(), 25.0, window=0.5, stride=0.25, threshold=-9.0))
    assert len(seen) < 0.75 * 25
    with pytest.raises(UserError, match="positive number"):
        next(classifier.stream(camera(), 0.0))
    with pytest.raises(UserError, match="The stream: it has no frames"):
        next(classifier.stream(iter(()), 25.0))


def test_check_is_that_of_the_command(classifier):
    assert classifier.check().accuracy == check_support(classifier).accuracy


def test_a_support_set_of_a_backbone_as_it_is_brings_its_model(world, tmp_path):
    made = FewShotClassifier("small-clip", str(make_clip(world.folder)), device="cpu").support(world.examples)
    made.save(tmp_path / "doors.safetensors")
    again = FewShotClassifier(tmp_path / "doors.safetensors", device="cpu")
    clips = clips_of(world)[:2]
    pd.testing.assert_frame_equal(again.predict(clips), made.predict(clips))


def test_a_support_set_of_a_trained_model_asks_for_its_folder(world, classifier, tmp_path):
    classifier.save(tmp_path / "doors.safetensors")
    with pytest.raises(UserError, match="made with a trained model"):
        FewShotClassifier(tmp_path / "doors.safetensors")


def test_a_model_of_the_hub_is_asked_for_by_owner_and_name(world, monkeypatch):
    asked = []
    monkeypatch.setattr(load.huggingface_hub, "snapshot_download", lambda name, **_: asked.append(name) or world.model)
    FewShotClassifier("somebody/model", device="cpu")
    assert asked == ["somebody/model"]

    def offline(name, **_):
        raise OSError("no network")

    monkeypatch.setattr(load.huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError, match=r"no folder somebody/model.*no network.*copy the model's folder"):
        FewShotClassifier("somebody/model")


def test_what_is_imported_from_the_package_is_listed():
    assert set(fsar.__all__) <= set(dir(fsar)) and fsar.FewShotClassifier is FewShotClassifier
