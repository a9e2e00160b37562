"""Every encoder of video × labels, checks, long videos, streams of examples and models that travel."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import save_file

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.config import FramesConfig, SamplingConfig
from fsar.errors import UserError
from fsar.model.r2plus1d import network
from fsar.predict.clips import list_clips
from fsar.predict.frames import read_clip
from tests.helpers.small_video import CLASSES as FAMILIES
from tests.helpers.small_video import small_video
from tests.helpers.videos import make_video
from tests.model.test_r2plus1d import SMALL

NAMES = ("closing a door", "waving")
TEXTS = ("xclip", "pe_video")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two examples of each of two classes, and a longer video."""
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(NAMES):
        (folder / "examples" / name).mkdir(parents=True)
        for shot in range(2):
            make_video(folder / "examples" / name / f"{number}{shot}.mp4", 20 + 5 * shot)
    make_video(folder / "long.mp4", 90)
    return folder


@pytest.fixture(params=[*FAMILIES, "r2plus1d"])
def encoder(request, tmp_path):
    """A family, and the files of a small encoder of it."""
    if request.param == "r2plus1d":
        (tmp_path / "config.json").write_text(json.dumps(SMALL))
        save_file(network(SMALL).state_dict(), tmp_path / "model.safetensors")
    else:
        transformers = pytest.importorskip("transformers", reason="encoders of video need the extra `video`")
        if not hasattr(transformers, FAMILIES[request.param]):
            pytest.skip(f"transformers {transformers.__version__} has no such encoder")
        small_video(request.param, tmp_path)
    return request.param, str(tmp_path / "config.json"), str(tmp_path / "model.safetensors")


def test_an_encoder_of_video_labels_clips_and_travels(encoder, clips, tmp_path):
    family, model, weights = encoder
    classifier = FewShotClassifier(model, weights, device="cpu").support(clips / "examples")
    labels = classifier.predict(clips / "examples")
    assert len(labels) == 4 and set(labels["label"]) <= set(NAMES)
    again = FewShotClassifier(model, weights, device="cpu", decides_by="few-shot").support(clips / "examples")
    pd.testing.assert_frame_equal(again.predict(clips / "examples"), labels)
    assert 0 <= classifier.check().accuracy <= 1
    windows = classifier.spot(clips / "long.mp4", window=1.0, stride=0.5)
    assert len(windows) and np.isfinite(windows.select_dtypes("number").to_numpy()).all()
    classifier.save(tmp_path / "support.safetensors")
    pd.testing.assert_frame_equal(
        FewShotClassifier(tmp_path / "support.safetensors", device="cpu").predict(clips / "examples"), labels
    )
    if family in TEXTS:
        by_names = FewShotClassifier(model, weights, device="cpu").support(list(NAMES)).predict(clips / "examples")
        assert set(by_names["label"]) <= set(NAMES)
    else:
        with pytest.raises(UserError, match="no text encoder"):
            FewShotClassifier(model, weights, device="cpu").support(list(NAMES))
    assert main(["export", model, str(tmp_path / "travelling"), "--weights", weights, "--licence", "CC0"]) == 0
    for path in (model, weights):
        Path(path).unlink()
    there = FewShotClassifier.load(tmp_path / "travelling", device="cpu").support(clips / "examples")
    pd.testing.assert_frame_equal(there.predict(clips / "examples"), labels)
    if family in TEXTS:
        named = FewShotClassifier.load(tmp_path / "travelling", device="cpu").support(list(NAMES))
        pd.testing.assert_frame_equal(named.predict(clips / "examples"), by_names)


def test_a_clip_of_odd_size_is_the_same_each_time(clips):
    """JPEG's encoder reads an even number of rows and columns, whatever lies in memory behind the last one."""
    frames, sampling = FramesConfig(size=37), SamplingConfig(frames=4)
    clip = list_clips([clips / "long.mp4"])[0]
    first = read_clip(clip, frames, sampling, 0, 37)
    for number in range(5):
        _ = [np.full((37, 48 + number), 255, np.uint8) for _ in range(50)]
        np.testing.assert_array_equal(read_clip(clip, frames, sampling, 0, 37), first)
