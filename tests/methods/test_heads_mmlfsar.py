"""MML-FSAR beside its golden tensors: segments in time, what holds for any episode, and its switches."""

import pytest
import torch

from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.methods.head import TrainingEpisode
from fsar.methods.mmlfsar.adapter import unseen
from fsar.methods.mmlfsar.head import STAGES, Mmlfsar
from fsar.methods.mmlfsar.record import MmlfsarAdaptersConfig, MmlfsarConfig
from fsar.methods.needs import Inputs, TransformerSizes
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_backbone

WIDTH, FRAMES, WAY, SHOT = 12, 4, 3, 2
SMALL = {"levels": [1, 2, 3], "inner_width": 5}


def make(**settings) -> Mmlfsar:
    torch.manual_seed(0)
    return Mmlfsar(Inputs(WIDTH, FRAMES), MmlfsarConfig(**SMALL | settings)).eval()


def episode(head: Mmlfsar, queries: int = 2) -> TrainingEpisode:
    torch.manual_seed(1)
    tokens = torch.randn(WAY * (SHOT + queries), FRAMES, 3, 2, WIDTH)
    return TrainingEpisode(WAY, SHOT, head.store({"tokens": tokens}), torch.tensor([4, 0, 2]), torch.randn(5, WIDTH))


def logits(head: Mmlfsar, own: TrainingEpisode) -> torch.Tensor:
    with torch.inference_mode():
        return head.decide(head.episode_stage(*head.staged(own)))[0]


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_queries_are_apart_and_the_order_of_shots_does_not_matter(power):
    head = make(text_power=power)
    own = episode(head)
    found = logits(head, own)
    changed = {name: each.clone() for name, each in own.stored.items()}
    for each in changed.values():
        each[-1] = torch.randn_like(each[-1])
        each[:2] = each[:2].flip(0)
    other = logits(head, TrainingEpisode(WAY, SHOT, changed, own.classes, own.text))
    torch.testing.assert_close(other[:-1], found[:-1])
    assert not torch.allclose(other[-1], found[-1])
    if power == 0:
        torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(len(found)))


def test_the_text_of_support_videos_is_in_the_loss_of_class_names_only_as_published():
    heads = [make(support_in_text_loss=own) for own in ("videos", "with_text")]
    (ours, losses), (theirs, published) = (head.losses(episode(head)) for head in heads)
    assert torch.equal(ours, theirs) and torch.equal(losses["few_shot"], published["few_shot"])
    assert losses["text"] != published["text"]
    with torch.no_grad():
        for head in heads:
            head.text.weight.zero_(), head.text.bias.zero_()
    torch.testing.assert_close(*(head.losses(episode(head))[1]["text"] for head in heads))


def test_frames_see_those_of_their_own_segment():
    seen = [(unseen(8, segments) == 0).sum(dim=1).tolist() for segments in (4, 2, 1)]
    assert seen == [[2] * 8, [4] * 8, [8] * 8]
    assert (unseen(5, 2) == 0).tolist() == [[a == b for b in (0, 0, 0, 1, 1)] for a in (0, 0, 0, 1, 1)]
    assert (unseen(2, 4) == 0).tolist() == [[True, False], [False, True]]


def model(**adapters) -> FewShotModel:
    torch.manual_seed(0)
    backbone, parts = random_backbone("small-vit-clip"), MODELS["mml-fsar"]
    return FewShotModel(
        backbone, parts, MmlfsarConfig(levels=[2, 4, 6]), 8, 0, MmlfsarAdaptersConfig(**adapters)
    ).eval()


@torch.inference_mode()
def test_stages_see_as_much_of_time_as_their_segments():
    """A frame that changes moves others of its own segment in early blocks, and all of them in the last."""
    own = model()
    videos = torch.randint(0, 256, (1, 8, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    other = videos.clone()
    other[0, 7] = 255 - other[0, 7]
    before, after = (own.backbone.give(each, own.head.needs)["tokens"][0, :, :, 0] for each in (videos, other))
    moved = (before - after).abs().amax(dim=-1) > 0  # (T, 3)
    assert [moved[:, stage].tolist() for stage in range(3)] == [
        [False] * 6 + [True] * 2,
        [False] * 4 + [True] * 4,
        [True] * 8,
    ]


def test_pixels_are_normalised_as_the_backbone_has_it_or_as_published():
    white = torch.full((1, 1, 64, 64, 3), 255, dtype=torch.uint8)
    plain = random_backbone("small-vit-clip").normalise(white)
    assert torch.equal(model().backbone.normalise(white), plain)
    published = model(pixels="published").backbone.normalise(white)
    torch.testing.assert_close(published, torch.full_like(published, (1 - 0.45) / 0.225))
    assert not torch.allclose(published, plain)


def test_too_few_blocks_are_told():
    with pytest.raises(UserError, match=r"heads.mmlfsar.levels is \[1, 2, 3\], but the backbone has 2 blocks"):
        Mmlfsar(Inputs(WIDTH, FRAMES, transformer=TransformerSizes(2, 8, 2, 4)), MmlfsarConfig(**SMALL))
    assert set(make().score_weights()) == set(STAGES)
