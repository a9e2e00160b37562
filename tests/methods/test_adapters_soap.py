"""SOAP's gains beside their golden tensors: axes, layers that are drawn anew, and what is trained."""

from itertools import pairwise

import pytest
import torch

from fsar.methods import MODELS, Components
from fsar.methods.soap.adapter import Gains, RandomLayers
from fsar.methods.soap.record import SoapConfig
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_backbone
from tests.helpers.small_models import small_head

FRAMES = 4


def pictures(videos: int, seed: int = 0, side: int = 8) -> torch.Tensor:
    return torch.randn(videos * FRAMES, 3, side, side, generator=torch.Generator().manual_seed(seed))


def make(misread: bool = False, frames: int = FRAMES) -> tuple[Gains, RandomLayers]:
    torch.manual_seed(0)
    return Gains(frames, misread).requires_grad_(False), RandomLayers(frames).requires_grad_(False)


def model(name: str = "small-clip", **settings) -> FewShotModel:
    torch.manual_seed(0)
    parts = MODELS["soap"]
    head = small_head(parts)
    return FewShotModel(random_backbone(name), parts, head, FRAMES, adapters=SoapConfig(**settings))


def test_gains_equal_a_plain_version():
    gains, layers = make()
    x = pictures(1)
    frames = list(x)
    s = torch.conv3d(torch.stack([frame.mean(dim=0) for frame in frames])[None, None], gains.place.weight, padding=1)[
        0, 0
    ]
    means = torch.stack(
        [torch.conv2d(frame[None], gains.expand.weight, padding=1)[0].mean(dim=(1, 2)) for frame in frames]
    )
    c = torch.conv1d(means[None], layers.time.weight, layers.time.bias, padding=1)[0] @ gains.contract.weight.T
    changes = []
    for place, size in enumerate((1, 2, 3)):
        windows = [torch.cat(frames[i : i + size]) for i in range(FRAMES - size + 1)]
        for one, after in pairwise(windows):
            change = one - layers.next[place](after[None])[0]
            weight = layers.back[place].weight[..., None, None]
            changes.append(torch.conv2d(change[None], weight, layers.back[place].bias)[0].mean(dim=(1, 2)))
    assert len(changes) == 3 * FRAMES - 6
    m = torch.stack(changes).mean(dim=0)
    expected = [
        frame * (4 + s[t].sigmoid() + c[t].sigmoid()[:, None, None] + m.sigmoid()[:, None, None])
        for t, frame in enumerate(frames)
    ]
    torch.testing.assert_close(gains(x, layers), torch.stack(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("misread", [False, True])
def test_videos_are_apart(misread):
    gains, layers = make(misread)
    together = gains(pictures(3), layers)
    torch.testing.assert_close(gains(pictures(3)[FRAMES : 2 * FRAMES], layers), together[FRAMES : 2 * FRAMES])


def test_only_misread_axes_mix_frames_with_channels():
    """Of a video whose frames are all alike, right axes see three equal windows; misread ones see other planes."""
    still = pictures(1)[:1].expand(FRAMES, -1, -1, -1)
    found = {misread: make(misread)[0](still, make()[1]) / still for misread in (False, True)}
    assert not torch.allclose(found[False], found[True], atol=1e-4)
    (right, layers), grey = make(), pictures(1)[:, :1].expand(-1, 3, -1, -1)
    planes = right._of_places(grey.unflatten(0, (1, FRAMES)))
    assert torch.allclose(planes, right._of_places(grey.unflatten(0, (1, FRAMES))[:, :, :1].expand(-1, -1, 3, -1, -1)))
    assert right(grey, layers).shape == grey.shape


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_videos_have_gains_too(frames):
    gains, layers = make(frames=frames)
    x = pictures(3, side=6)[: 3 * frames]
    assert gains(x, layers).isfinite().all() and len(layers.windows) == frames - 1


def test_layers_that_are_drawn_anew_follow_the_episode_and_then_their_seed():
    own, x = model(layers="redrawn").backbone.adapters, pictures(1)
    assert not [name for name, _ in own.named_parameters() if name.startswith("layers")]
    with torch.no_grad():
        own.train()
        torch.manual_seed(3)
        first, second = own.gained(x), own.gained(x)
        torch.manual_seed(3)
        assert torch.equal(own.gained(x), first) and not torch.equal(first, second)
        own.eval()
        tested, state = own.gained(x), torch.random.get_rng_state()
        assert torch.equal(own.gained(x), tested) and torch.equal(torch.random.get_rng_state(), state)
        other = model(layers="redrawn", draw_seed=1).backbone.adapters.eval()
        assert not torch.equal(other.gained(x), tested)


@pytest.mark.parametrize("backbone", ["small-clip", "small-vit-clip"])
def test_encoder_and_gains_are_trained_together(backbone):
    own = model(backbone).train()
    videos = torch.randint(0, 256, (6, FRAMES, 64, 64, 3), dtype=torch.uint8)
    own.set_training_text(torch.empty(2, 0))
    own(videos, torch.tensor([0, 1]), 1).total.backward()
    state = own.trained_state()
    assert {name.partition(".")[0] for name in state} == {"visual", "adapters", "head"}
    assert all(p.grad is not None and p.grad.any() for p in own.backbone.adapters.parameters())
    assert any(p.grad is not None and p.grad.any() for p in own.backbone.visual.parameters())


def test_adapters_go_with_a_trained_encoder_or_a_frozen_one():
    assert Components(trains="adapters", adapters="soap") != Components(adapters="soap")
    for trains in ("nothing", "head"):
        with pytest.raises(ValueError, match="adapters are what is trained"):
            Components(trains=trains, adapters="soap")
