"""TRX, STRM and TEAM as heads: against plain ones, what holds of any episode, how they start, STRM's second metric."""

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from fsar.errors import UserError
from fsar.evaluation.episode_logits import FewShotLogits
from fsar.methods.blocks.positions import sinusoidal
from fsar.methods.blocks.tuples import pieces, tuples_of_pieces
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.needs import Inputs
from fsar.methods.strm.head import PatchAttention, SecondMetric, Strm, pooled
from fsar.methods.strm.record import StrmConfig
from fsar.methods.team.head import Team
from fsar.methods.team.record import TeamConfig
from fsar.methods.trx.head import Trx
from fsar.methods.trx.record import TrxConfig
from tests.helpers import plain

WIDTH, FRAMES, WAY, MAP = 16, 4, 3, 5
HEADS = {
    "trx": (Trx, TrxConfig(tuple_width=12)),
    "strm": (Strm, StrmConfig(tuple_width=12, cardinalities=[2, 3])),
    "strm-published": (Strm, StrmConfig(tuple_width=12, second_metric="published")),
    "team": (Team, TeamConfig(tokens=6)),
}


def random(*shape, seed=0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def make_head(name: str, **changed) -> Head:
    """A head in 64 bits with random weights everywhere, in evaluation."""
    torch.manual_seed(0)
    build, settings = HEADS[name]
    head = build(Inputs(WIDTH, FRAMES), type(settings)(**settings.model_dump() | changed)).double().eval()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, 0.5 if parameter.dim() == 1 else 0.0, 0.3)
    return head


def episode(head: Head, shot: int, queries: int = 2, seed: int = 0) -> TrainingEpisode:
    shape = (FRAMES, WIDTH, MAP, MAP) if head.needs.kind == "maps" else (FRAMES, WIDTH)
    stored = head.store({head.needs.kind: random(WAY * (shot + queries), *shape, seed=seed)})
    return TrainingEpisode(WAY, shot, stored, torch.arange(WAY), torch.empty(WAY, 0, dtype=torch.float64))


@pytest.mark.parametrize("cardinality", [1, 2, 3, 4])
def test_tuples_are_sums_of_pieces(cardinality):
    videos, weight, bias = random(2, 5, 6), random(7, cardinality * 6, seed=1), random(7, seed=2)
    stacked = torch.stack([videos[:, chosen].flatten(1) for chosen in combinations(range(5), cardinality)], dim=1)
    ours = tuples_of_pieces(5, cardinality).double() @ pieces(videos, weight, bias, cardinality)
    torch.testing.assert_close(ours, F.linear(stacked, weight, bias))


@pytest.mark.parametrize("shot", [1, 2])
def test_trx_equals_the_plain_one(shot):
    head = make_head("trx")
    task = episode(head, shot)
    parameters = {n.removeprefix("matching."): p.tolist() for n, p in head.named_parameters()}
    videos = task.stored["frames"].tolist()
    classes = [videos[n * shot : (n + 1) * shot] for n in range(WAY)]
    expected = [[-plain.trx(query, shots, parameters) for shots in classes] for query in videos[WAY * shot :]]
    torch.testing.assert_close(head.losses(task)[0], torch.tensor(expected, dtype=torch.float64))


def test_the_second_metric_equals_a_plain_one():
    head = make_head("strm")
    task = episode(head, shot=2)
    frames = task.stored["frames"]
    expected = torch.zeros(2 * WAY, WAY, dtype=torch.float64)
    for cardinality in (2, 3):
        metric, chosen = head.second[str(cardinality)], list(combinations(range(FRAMES), cardinality))
        tuples = [torch.stack([video[list(c)].flatten() for c in chosen]) for video in frames]
        tuples = [torch.relu(F.linear(t, metric.weight, metric.bias)) for t in tuples]
        for q, query in enumerate(tuples[WAY * 2 :]):
            for n in range(WAY):
                support = torch.cat(tuples[2 * n : 2 * n + 2])
                expected[q, n] -= torch.cdist(query, support).amin(dim=1).mean() / 2
    scores = head.episode_stage(*head.staged(task))
    torch.testing.assert_close(scores["second_metric"][0], expected)
    torch.testing.assert_close(head.losses(task)[0], scores["few_shot"][0] + 0.1 * expected)


def plain_team(head: Team, support: Tensor, queries: Tensor) -> Tensor:
    """The logits of one episode, pair by pair: (N, K, T, D), (Q, T, D) → (Q, N)."""
    p, weight = head.pattern, head.settings.negative_weight

    def found(video):
        placed = F.layer_norm(video + sinusoidal(FRAMES, WIDTH).to(video), (WIDTH,), p.norm.weight, p.norm.bias)
        tokens = F.layer_norm(p.tokens, (WIDTH,), p.norm.weight, p.norm.bias)
        return torch.softmax(tokens @ placed.T / (WIDTH / 8) ** 0.5, dim=1) @ placed

    def patterns(y):
        return torch.relu(y + p.contract(torch.relu(p.expand(y))))

    def distance(a, b):
        return (1 - F.cosine_similarity(a, b, dim=1)).sum()

    c = [found(shots.mean(dim=0)) for shots in support]
    way, adapted = len(support), {}
    for sign in (1, -1):
        for i in range(way):
            moved = []
            for j in set(range(way)) - {i}:
                e = F.cosine_similarity(patterns(p.tokens + sign * c[i]), patterns(p.tokens + sign * c[j]), dim=1)
                moved.append(patterns(p.tokens + sign * (c[i] - e[:, None] * (c[j] - c[i]))))
            adapted[sign, i] = torch.stack(moved).mean(dim=0)
    expected = support.new_empty(len(queries), way)
    for q, video in enumerate(queries):
        with_it, without = patterns(p.tokens + found(video)), patterns(p.tokens - found(video))
        for n in range(way):
            others = set(range(way)) - {n}
            first = max(distance(adapted[1, j], without) for j in others)
            second = max(distance(adapted[-1, j], with_it) for j in others)
            expected[q, n] = -distance(adapted[1, n], with_it) - weight * (first + second) / 2
    return expected


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shot", [1, 2])
def test_team_equals_a_plain_one(shot, training):
    head = make_head("team", negative_weight=0.7, dropout=0.0).train(training)
    task = episode(head, shot)
    support, queries = task.split(task.stored)
    expected = plain_team(head, support["frames"].unflatten(0, (WAY, shot)), queries["frames"])
    torch.testing.assert_close(head.losses(task)[0], expected)


@torch.inference_mode()
@pytest.mark.parametrize("shot", [1, 2])
def test_a_class_alone_has_no_other_that_team_compares_with(shot):
    head, videos = make_head("team"), random(shot + 2, FRAMES, WIDTH)
    support, text = torch.arange(shot).view(1, 1, shot), torch.empty(1, 0)
    tests = FewShotLogits(head, {"frames": videos}, text, support, torch.zeros(1, 1, dtype=torch.long))
    first, second = tests(slice(0, 1), torch.arange(shot, shot + 2).view(1, 2))[0].flatten()
    assert first.isfinite() and second.isfinite() and first != second


@torch.inference_mode()
@pytest.mark.parametrize("shot", [1, 2])
def test_200_test_episodes_of_team_equal_the_plain_ones(shot):
    head, each = make_head("team").float(), WAY * shot
    frames, generator = random(40, FRAMES, WIDTH).float(), torch.Generator().manual_seed(0)
    rows = torch.stack([torch.randperm(40, generator=generator)[: each + 2] for _ in range(200)])
    support, asked = rows[:, :each].unflatten(1, (WAY, shot)), rows[:, each:]
    tests = FewShotLogits(head, {"frames": frames}, torch.empty(WAY, 0), support, torch.arange(WAY).expand(200, WAY))
    batches = [slice(start, start + head.episodes_at_once) for start in range(0, 200, head.episodes_at_once)]
    found = torch.cat([tests(part, asked[part])[0] for part in batches])
    expected = torch.stack([plain_team(head, frames[s], frames[q]) for s, q in zip(support, asked, strict=True)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(found.argmax(dim=-1), expected.argmax(dim=-1))


@pytest.mark.parametrize("size", [(7, 7), (14, 14), (5, 9), (2, 2)])
def test_maps_are_pooled_as_torch_does(size):
    maps = random(2, 3, *size)
    torch.testing.assert_close(pooled(maps, 4), F.adaptive_max_pool2d(maps, 4), rtol=0, atol=0)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("shot", [1, 3])
def test_episodes_together_equal_each_alone_and_queries_do_not_see_one_another(name, shot):
    head = make_head(name)
    tasks = [episode(head, shot, seed=seed) for seed in (0, 1)]
    alone = torch.stack([head.losses(task)[0] for task in tasks])  # (B, Q, N)
    staged = [head.staged(task) for task in tasks]
    support, queries = ({key: torch.cat([s[side][key] for s in staged]) for key in staged[0][side]} for side in (0, 1))
    text = torch.empty(2, WAY, 0)
    torch.testing.assert_close(head.decide(head.episode_stage(support, queries, text)), alone)
    one = {key: videos[:, 2:3] for key, videos in queries.items()}
    torch.testing.assert_close(head.decide(head.episode_stage(support, one, text)), alone[:, 2:3])
    if head.classes_apart:
        two = {key: videos[:, :2] for key, videos in support.items()}
        torch.testing.assert_close(head.decide(head.episode_stage(two, queries, text[:, :2])), alone[..., :2])


@pytest.mark.parametrize("name", HEADS)
def test_a_shot_given_twice_changes_nothing(name):
    head = make_head(name)
    once = episode(head, shot=1)
    twice = {key: torch.cat([v[:WAY].repeat_interleave(2, dim=0), v[WAY:]]) for key, v in once.stored.items()}
    doubled = TrainingEpisode(WAY, 2, twice, once.classes, once.text)
    torch.testing.assert_close(head.losses(doubled)[0], head.losses(once)[0])


@pytest.mark.parametrize("name", HEADS)
def test_losses_have_their_names_and_sums(name):
    head = make_head(name)
    task = episode(head, shot=1)
    mean = head.losses(task)[1]
    head.loss_over_queries = "sum"
    summed = head.losses(task)[1]
    assert tuple(mean) == tuple(summed) == head.loss_names == tuple(head.loss_weights())
    for loss in head.loss_names:
        torch.testing.assert_close(summed[loss], 2 * WAY * mean[loss])
    assert not head.for_training


def test_how_the_heads_start():
    torch.manual_seed(0)
    for build, settings in HEADS.values():
        head = build(Inputs(32, FRAMES), settings)
        for part in head.modules():
            if isinstance(part, torch.nn.Linear):
                bound = part.in_features**-0.5
                assert 0.9 * bound < part.weight.abs().max() <= bound
            elif isinstance(part, torch.nn.LayerNorm):
                assert part.weight.eq(1).all() and part.bias.eq(0).all()
            elif isinstance(part, torch.nn.Dropout):
                assert part.p == 0.1
            elif isinstance(part, PatchAttention):
                assert part.share.tolist() == [0]
            elif isinstance(part, SecondMetric):
                bound = (part.cardinality * 32) ** -0.5
                assert 0.9 * bound < part.weight.abs().max() <= bound and part.bias.abs().max() <= bound
    tokens = Team(Inputs(256, FRAMES), TeamConfig()).pattern.tokens
    assert tokens.shape == (60, 256) and abs(tokens.std() - 1) < 0.03 and abs(tokens.mean()) < 0.03


def test_the_second_metric_is_trained_unless_it_is_the_published_one():
    head, published = make_head("strm"), make_head("strm-published")
    for each in (head, published):
        losses = each.losses(episode(each, shot=1))[1]
        losses["second_metric"].backward()
    assert all(metric.weight.grad.abs().sum() > 0 for metric in head.second.values())
    assert published.patches.value.weight.grad.abs().sum() > 0
    assert not any("second" in name for name in (*published.state_dict(), *dict(published.named_parameters())))
    assert sum("second" in name for name in head.state_dict()) == 4


def test_the_published_second_metric_comes_from_its_seed():
    first = make_head("strm-published")
    torch.manual_seed(1)  # the state of the program decides nothing
    again = Strm(Inputs(WIDTH, FRAMES), first.settings).double().eval()
    again.load_state_dict(first.state_dict())
    other = make_head("strm-published", second_metric_seed=1)
    task = episode(first, shot=1)
    logits = first.losses(task)[0]
    assert torch.equal(again.losses(task)[0], logits)
    assert (other.losses(task)[0] - logits).abs().max() > 1e-4


def test_the_dropout_of_the_published_second_metric_stays_on():
    head = make_head("strm-published", dropout=0.5)
    metric, frames = head.second["2"], torch.ones(2, FRAMES, WIDTH, dtype=torch.float64)
    asked, support = metric.drop(frames, of_support=False), metric.drop(frames, of_support=True)
    assert set(asked.unique().tolist()) == {0.0, 2.0} and 0.3 < asked.eq(0).double().mean() < 0.7
    assert not torch.equal(asked, support) and torch.equal(asked[0], asked[1])
    trained = make_head("strm", dropout=0.5).second["2"]
    assert torch.equal(trained.drop(frames, of_support=False), frames)


def test_tuples_longer_than_a_video_and_repeated_ones_are_refused():
    with pytest.raises(UserError, match=r"compares tuples of 3 frames .*must be at least 3, and not 2"):
        Trx(Inputs(WIDTH, 2), TrxConfig())
    with pytest.raises(ValidationError, match="cardinalities lists 2 twice"):
        StrmConfig(cardinalities=[2, 2])
