"""The demo's own encoders of video: rendered clips, and what is trained from them."""

import numpy as np
import pytest
import torch

from fsar.config import BackboneConfig, SmallVideoConfig
from fsar.sources.demo.actions import ACTIONS
from fsar.sources.demo.clips import render_clip
from fsar.sources.demo.shapes import SHAPES


def test_a_clip_moves_and_follows_its_seed():
    moving = 0
    for number in range(20):
        clip, shape, action = render_clip(np.random.default_rng(number), 6, 32)
        again, *_ = render_clip(np.random.default_rng(number), 6, 32)
        assert clip.shape == (6, 32, 32, 3) and clip.dtype == np.uint8
        assert 0 <= shape < len(SHAPES) and 0 <= action < len(ACTIONS)
        np.testing.assert_array_equal(clip, again)
        moving += bool((clip[0] != clip[-1]).any())
    assert moving > 15


@pytest.mark.parametrize("model", ["small-videomae", "small-xclip"])
def test_an_encoder_is_trained_and_loads_as_a_backbone(model, tmp_path, monkeypatch, caplog):
    pytest.importorskip("transformers", reason="encoders of video need the extra `video`")
    from fsar.model.backbone import load_backbone
    from fsar.training import small_video
    from fsar.training.small_video import train_small_video

    monkeypatch.setattr(small_video, "OTHERS", 8)
    caplog.set_level("INFO")

    def trained(name, **other):
        path = tmp_path / f"{name}.safetensors"
        train_small_video(SmallVideoConfig(model=model, epochs=1, batch=4, **other), path)
        return path

    one, same, untrained = trained("one", clips=8), trained("same", clips=8), trained("untrained", clips=0)
    said = [line for line in caplog.messages if "of 8 other clips it names" in line]
    assert len(said) == 2 and said[0] == said[1]  # nothing was trained of the third
    assert one.read_bytes() == same.read_bytes() != untrained.read_bytes()
    about = BackboneConfig(library="transformers", model=model, weights=str(one))
    backbone = load_backbone(about).eval()
    videos = torch.randint(0, 256, (2, 8, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features = backbone(videos)
        other = load_backbone(about.model_copy(update={"weights": str(untrained)})).eval()(videos)
    assert features.shape == (2, about.facts().video.steps, 96)
    assert features.isfinite().all() and not torch.allclose(features, other)
