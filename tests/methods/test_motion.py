"""What moves, beside what is there: against a plain version, in every metric, and where nothing moves."""

import math

import pytest
import torch

from fsar.errors import UserError
from fsar.methods import METHODS, MODELS
from fsar.methods.blocks import trx
from fsar.methods.blocks.motion import LEAST_MOTION, beside_motion
from fsar.methods.head import Head, build_head
from fsar.methods.needs import Inputs
from fsar.methods.otam.head import Otam
from fsar.methods.otam.record import METRICS, OtamConfig
from tests.helpers import plain

WIDTH, FRAMES = 16, 8
WITH_MOTION = sorted(name for name, model in MODELS.items() if dict(model.fixed).get("motion_share"))
SMALL = {
    "clip_fsar": {"feed_forward": 8},
    "trx": {"tuple_width": 6},
    "strm": {"tuple_width": 6, "grid": 2},
    "team": {"tokens": 3},
}


def random(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def make_head(model: str, frames=FRAMES, width=WIDTH, **changed) -> Head:
    torch.manual_seed(0)
    components = MODELS[model]
    own = SMALL.get(components.head, {}) | dict(components.fixed) | changed
    return build_head(components, Inputs(width, frames), type(components.settings)(**own)).double().eval()


def matched(frames=FRAMES, **settings) -> Otam:
    return Otam(Inputs(WIDTH, frames), OtamConfig(**settings)).double().eval()


def plain_motion(video, share):
    average = plain.mean(video)
    found = []
    for frame in video:
        length = math.sqrt(plain.dot(frame, frame))
        change = [a - b for a, b in zip(frame, average, strict=True)]
        moved = math.sqrt(plain.dot(change, change) + (LEAST_MOTION * length) ** 2)
        there = [math.sqrt(1 - share) * a / length for a in frame]
        found.append(there + [math.sqrt(share) * a / moved for a in change])
    return found


@pytest.mark.parametrize("share", [0.25, 1.0])
@pytest.mark.parametrize("frames", [2, 3, 8, 32])
def test_it_equals_the_plain_one(frames, share):
    videos = random(3, frames, WIDTH)
    expected = torch.tensor([plain_motion(video, share) for video in videos.tolist()], dtype=torch.float64)
    torch.testing.assert_close(beside_motion(videos, share), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("metric", METRICS[:3])
def test_metrics_match_what_the_plain_ones_do(metric):
    head = matched(metric=metric, motion_share=0.5)
    support, queries = random(3, 1, FRAMES, WIDTH), random(2, FRAMES, WIDTH, seed=1)
    moving = [plain_motion(shots[0], 0.5) for shots in support.tolist()]
    expected = [[-plain.distance(metric, plain_motion(q, 0.5), each) for each in moving] for q in queries.tolist()]
    ours = head.few_shot_logits(support, queries, random(3, 0))
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)


def test_without_a_share_frames_are_matched_as_published_to_the_last_bit():
    videos = random(5, FRAMES, WIDTH)
    assert beside_motion(videos, 0.0) is videos
    plain_head = matched()
    assert plain_head.represent(videos)["frames"] is videos
    assert plain_head.single_frames({"frames": videos}) is videos


def test_the_cosine_is_the_weighted_sum_of_both():
    videos = random(2, FRAMES, WIDTH)
    parts = {share: beside_motion(videos, share) for share in (0.3, 1.0)}
    there = torch.nn.functional.normalize(videos, dim=-1)
    moving = parts[1.0][..., WIDTH:]
    expected = 0.7 * there[0] @ there[1].T + 0.3 * moving[0] @ moving[1].T
    torch.testing.assert_close(parts[0.3][0] @ parts[0.3][1].T, expected)


def test_products_of_what_moves_are_those_of_frames_with_rows_and_columns_centred():
    """Of two videos by themselves: so one product of frames would do for both parts of the cosine (docs/motion.md)."""
    videos = random(2, FRAMES, WIDTH)
    moving, lengths = beside_motion(videos, 1.0)[..., WIDTH:], []
    for video in videos:
        change = (video - video.mean(dim=0)).square().sum(dim=-1, keepdim=True)
        lengths.append((change + LEAST_MOTION**2 * video.square().sum(dim=-1, keepdim=True)).sqrt())
    products = videos[0] @ videos[1].T
    centred = products - products.mean(dim=0) - products.mean(dim=1, keepdim=True) + products.mean()
    torch.testing.assert_close(centred / (lengths[0] * lengths[1].T), moving[0] @ moving[1].T)


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-3])
def test_where_nothing_moves_appearance_decides(noise):
    """The order of classes is that of frames as they are; noise of a still video is not blown up."""
    still = random(6, 1, WIDTH).expand(-1, FRAMES, -1)
    support, queries = (still + noise * random(6, FRAMES, WIDTH, seed=seed) for seed in (1, 2))
    assert beside_motion(queries, 1.0).norm(dim=-1).max() < max(2 * noise / LEAST_MOTION, 1e-12)
    orders = [
        matched(motion_share=share).few_shot_logits(support.unsqueeze(1), queries, random(6, 0)).argsort(dim=1)
        for share in (0.0, 0.5)
    ]
    assert torch.equal(*orders)


def test_what_moves_does_not_depend_on_what_is_there_in_every_frame():
    """A picture added to all frames changes what is there; of what moves it changes the length of the noise alone."""
    videos = random(2, FRAMES, WIDTH)
    moving = [beside_motion(v, 1.0)[..., WIDTH:] for v in (videos, videos + random(1, 1, WIDTH, seed=1))]
    cosine = torch.nn.functional.cosine_similarity(*moving, dim=-1)
    assert cosine.min() > 1 - 1e-9


def test_it_tells_a_video_from_itself_played_backwards():
    """On a straight way the frames backwards move the opposite way at each place in time."""
    way = torch.linspace(-1, 1, FRAMES, dtype=torch.float64)[:, None] * random(1, WIDTH) + 5 * random(1, WIDTH, seed=1)
    videos = torch.stack([way, way.flip(0)])
    logits = matched(motion_share=0.5).few_shot_logits(videos.unsqueeze(1), videos, random(2, 0))
    as_it_is = matched().few_shot_logits(videos.unsqueeze(1), videos, random(2, 0))
    lead, lead_as_it_is = ((own.diagonal() - own.flip(1).diagonal()).min() for own in (logits, as_it_is))
    assert lead > 3 * lead_as_it_is > 0


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_loses_no_more_than_its_rounding(kind):
    """Frames that hardly differ have differences of few digits: they are taken in 32 bits of the frames as given."""
    given = (10 * random(1, 1, WIDTH) + random(4, FRAMES, WIDTH, seed=1)).to(kind)
    ours = beside_motion(given, 0.5)
    assert ours.dtype is kind
    torch.testing.assert_close(ours.double(), beside_motion(given.double(), 0.5), atol=torch.finfo(kind).eps, rtol=0)


@pytest.mark.parametrize("model", WITH_MOTION)
def test_gradients_are_right(model, monkeypatch):
    monkeypatch.setattr(trx, "TUPLE_WIDTH", 6)
    head = make_head(model, frames=3, width=8)
    each = (8, 2, 2) if head.needs.kind == "maps" else (8,)
    support, queries, text = random(2, 2, 3, *each), random(1, 3, *each, seed=1), random(2, 8, seed=2)
    assert torch.autograd.gradcheck(head.few_shot_logits, (support.requires_grad_(), queries.requires_grad_(), text))


def test_gradients_of_still_and_black_videos_are_finite():
    for videos in (torch.ones(2, FRAMES, WIDTH), torch.zeros(2, FRAMES, WIDTH)):
        given = videos.requires_grad_()
        beside_motion(given, 0.5).sum().backward()
        assert given.grad is not None and torch.isfinite(given.grad).all()


@pytest.mark.parametrize(
    ("metric", "frames"),
    [*((metric, frames) for metric in METRICS if metric != "trx" for frames in (2, 32)), ("trx", 3), ("trx", 8)],
)
@pytest.mark.parametrize("head", ["otam", "clip-fsar"])
def test_every_metric_takes_it(head, metric, frames, monkeypatch):
    monkeypatch.setattr(trx, "TUPLE_WIDTH", 6)
    own = make_head(head, frames, metric=metric, motion_share=0.5)
    support, queries, text = random(3, 2, frames, WIDTH), random(4, frames, WIDTH, seed=1), random(3, WIDTH, seed=2)
    logits = own.few_shot_logits(support, queries, text)
    assert logits.shape == (4, 3) and torch.isfinite(logits).all()
    assert not torch.equal(logits, make_head(head, frames, metric=metric).few_shot_logits(support, queries, text))


def test_methods_with_motion_differ_from_those_without_in_nothing_else():
    named = {name: method for name, method in METHODS.items() if method.model in WITH_MOTION}
    assert {"clip-freeze-motion", "otam-motion", "bi-mhm-motion", "clip-fsar-motion", "trx-motion"} <= named.keys()
    for name, method in named.items():
        without = METHODS[name.removesuffix("-motion")]
        fixed = [pair for pair in method.components.fixed if pair[0] != "motion_share"]
        assert (method.components.head, method.components.trains) == (
            without.components.head,
            without.components.trains,
        )
        assert tuple(fixed) == without.components.fixed and not method.published_as


# A model of every head that has the setting.
HEADS = {MODELS[name].head: name.removesuffix("-motion") for name in WITH_MOTION if name != "frozen-motion"}


@pytest.mark.parametrize("model", HEADS.values(), ids=HEADS)
def test_a_share_of_nought_is_the_published_head_to_the_last_bit(model):
    """The same weights are drawn, and frames are compared without a look at what moves; with a share they are not."""
    published, without, moved = (make_head(model, **own) for own in ({}, {"motion_share": 0.0}, {"motion_share": 0.5}))
    each = (WIDTH, 2, 2) if published.needs.kind == "maps" else (WIDTH,)
    support, queries, text = random(3, 2, FRAMES, *each), random(4, FRAMES, *each, seed=1), random(3, WIDTH, seed=2)
    logits = [head.few_shot_logits(support, queries, text) for head in (published, without, moved)]
    assert torch.equal(logits[0], logits[1]) and not torch.equal(logits[0], logits[2])
    still = queries.mean(dim=1, keepdim=True).expand_as(queries)
    assert torch.isfinite(moved.few_shot_logits(support, still, text)).all()


def test_nothing_moves_in_one_frame():
    with pytest.raises(UserError, match=r"compares what moves, so sampling\.frames must be at least 2, and not 1"):
        matched(frames=1, motion_share=0.5)
