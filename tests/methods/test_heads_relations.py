"""HyRSM, HyRSM++ and MoLo beside their golden tensors: what holds for any episode, and how they start."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fsar.errors import UserError
from fsar.methods import Components
from fsar.methods.blocks.positions import encoding
from fsar.methods.head import Head, TrainingEpisode, build_head
from fsar.methods.hyrsm.head import Hyrsm
from fsar.methods.hyrsm.record import HyrsmConfig
from fsar.methods.hyrsmpp.head import coherence_loss
from fsar.methods.hyrsmpp.record import HyrsmppConfig
from fsar.methods.molo.record import MoloConfig
from fsar.methods.needs import Inputs

WIDTH, FRAMES, CLASSES, WAY = 16, 4, 6, 3
CASES = {
    "hyrsm": HyrsmConfig(),
    "hyrsm-videos": HyrsmConfig(items="videos"),
    "hyrsmpp": HyrsmppConfig(window=1),
    "molo": MoloConfig(feed_forward=20),
}


def make(case: str, classes: int = CLASSES, **inputs: int) -> Head:
    torch.manual_seed(3)
    sizes = {"width": WIDTH, "frames": FRAMES} | inputs
    components = Components(head=case.split("-")[0])
    return build_head(components, Inputs(classes=classes, **sizes), CASES[case])


def features(head: Head, videos: int) -> torch.Tensor:
    torch.manual_seed(videos)
    return torch.randn(videos, FRAMES, WIDTH, *((2, 2) if head.needs.kind == "maps" else ()))


def episode(head: Head, shot: int, queries: int = 2) -> TrainingEpisode:
    videos = features(head, WAY * (shot + queries))
    pixels = torch.randn(len(videos), FRAMES, 3, 40, 48) if head.settings.needs_pixels else None  # of any size
    return TrainingEpisode(
        WAY, shot, head.store({head.needs.kind: videos}), torch.tensor([4, 0, 5]), torch.empty(CLASSES, 0), pixels
    )


def scores(head: Head, support: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    """Return the logits of (B, N, K, …) support and (B, Q, …) query videos' features."""

    def staged(videos: torch.Tensor, leading: int) -> dict[str, torch.Tensor]:
        found = head.video_stage(head.store({head.needs.kind: videos.flatten(0, leading - 1)}))
        return {name: each.unflatten(0, videos.shape[:leading]) for name, each in found.items()}

    with torch.inference_mode():
        support_stage = head.merge(staged(support, 3))
        return head.decide(head.episode_stage(support_stage, staged(queries, 2), torch.empty(len(support), WAY, 0)))


def arranged(head: Head, episodes: int, shot: int, queries: int) -> tuple[torch.Tensor, torch.Tensor]:
    videos = features(head, episodes * (WAY * shot + queries)).unflatten(0, (episodes, -1))
    return videos[:, : WAY * shot].unflatten(1, (WAY, shot)), videos[:, WAY * shot :]


@pytest.mark.parametrize("case", CASES)
def test_queries_and_episodes_are_apart(case):
    head = make(case).eval()
    support, queries = arranged(head, episodes=2, shot=2, queries=3)
    together = scores(head, support, queries)
    assert together.shape == (2, 3, WAY)
    for each in range(2):
        alone = scores(head, support[each : each + 1], queries[each : each + 1, 1:2])
        torch.testing.assert_close(alone[0, 0], together[each, 1], rtol=1e-5, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 0.01


@pytest.mark.parametrize("case", CASES)
def test_whether_a_class_depends_on_the_others(case):
    head = make(case).eval()
    support, queries = arranged(head, episodes=1, shot=2, queries=2)
    other = torch.cat([support[:, :-1], torch.randn_like(support[:, -1:])], dim=1)
    first, second = (scores(head, each, queries)[..., :-1] for each in (support, other))
    assert head.classes_apart is torch.allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("shot", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_training_decides_as_the_tests_do(case, shot):
    head = make(case).eval()
    drawn = episode(head, shot)
    videos = features(head, WAY * (shot + 2))
    support, queries = videos[: WAY * shot].unflatten(0, (1, WAY, shot)), videos[WAY * shot :].unsqueeze(0)
    logits, _ = head.losses(drawn)
    torch.testing.assert_close(logits, scores(head, support, queries)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_losses_have_names_and_reach_every_parameter(case):
    head = make(case).train()
    _, losses = head.losses(episode(head, shot=2))
    assert set(losses) == set(head.loss_names) == set(head.loss_weights()) and head.loss_names[0] == "few_shot"
    sum(head.loss_weights()[name] * loss for name, loss in losses.items()).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("case", CASES)
def test_without_training_classes_nothing_is_for_training(case):
    bare, whole = make(case, classes=0).train(), make(case)
    assert not bare.for_training
    trained = {name for name in whole.state_dict() if not name.startswith("for_training.")}
    assert trained == set(bare.state_dict())
    _, losses = bare.losses(episode(bare, shot=1))
    assert set(losses) == set(whole.loss_names) - {"classification", "reconstruction"}


@pytest.mark.parametrize("items", ["prototypes", "videos"])
@pytest.mark.parametrize("shot", [1, 2])
def test_hyrsm_is_what_its_paper_says(items, shot):
    """Make every related frame of one query, by concatenation, as the public code does."""
    torch.manual_seed(0)
    head = Hyrsm(Inputs(WIDTH, FRAMES), HyrsmConfig(items=items, heads=4)).eval()
    support, queries = arranged(head, episodes=1, shot=shot, queries=1)
    with torch.inference_mode():
        ours = scores(head, support, queries)[0, 0]
        seen = head.frames({"frames": torch.cat([support[0].flatten(0, 1), queries[0]])})
        each, query = seen[:-1].unflatten(0, (WAY, shot)), seen[-1]
        each = each.mean(dim=1, keepdim=True) if items == "prototypes" else each  # (N, K or 1, T, D)
        tokens = torch.cat([each.flatten(0, 1), query.unsqueeze(0)]).mean(dim=1)  # (S+1, D)
        relation = head.inter_relation
        split = [
            p(tokens).unflatten(-1, (4, -1)).transpose(0, 1) for p in (relation.query, relation.key, relation.value)
        ]
        attended = F.scaled_dot_product_attention(*split).transpose(0, 1).flatten(1)
        related = F.relu(relation.norm(relation.output(attended) + tokens))
        whole = torch.cat([each.flatten(0, 1), query.unsqueeze(0)])
        fused = head.fusion(torch.cat([whole, related.unsqueeze(1).expand_as(whole)], dim=-1))  # (S+1, T, D)
        distances = 1 - F.cosine_similarity(fused[:-1].unsqueeze(2), fused[-1], dim=-1)  # (S, T, T)
        sums = distances.amin(dim=2).sum(dim=1) + distances.amin(dim=1).sum(dim=1)
    torch.testing.assert_close(ours, -sums.unflatten(0, (WAY, -1)).mean(dim=1), rtol=1e-5, atol=1e-5)


def test_exponents_of_positions_run_to_two():
    table = encoding(frames=3, width=8)
    assert table.shape == (3, 8) and torch.equal(table[0], torch.tensor([0.0, 1.0] * 4, dtype=table.dtype))
    assert math.isclose(table[2, 1].item(), math.cos(2 / 10000 ** (2 / 8)))
    assert math.isclose(table[2, 6].item(), math.sin(2 / 10000 ** (12 / 8)), rel_tol=1e-9)


def test_coherence_of_near_and_far_frames():
    settings = HyrsmppConfig(window=1, falloff=2.0, far_weight=10.0)
    distances = torch.tensor([[0.0, 0.4, 0.1], [0.4, 0.0, 0.2], [0.1, 0.2, 0.0]])
    near = 2 * (0.4 + 0.2) / 2  # one apart: D / (1² + 1), twice each
    far = 2 * 10 * (1 - math.exp(-1 / 2) - 0.1)
    assert math.isclose(coherence_loss(1 - distances, settings).item(), (near + far) / 9, rel_tol=1e-5)
    far_enough = distances.index_put((torch.tensor([0, 2]), torch.tensor([2, 0])), torch.tensor(0.9))
    assert math.isclose(coherence_loss(1 - far_enough, settings).item(), near / 9, rel_tol=1e-5)


def test_how_hyrsm_starts():
    head = make("hyrsm", width=128)
    relation = head.inter_relation
    for projection in (relation.query, relation.key, relation.value):
        assert math.isclose(projection.weight.std().item(), math.sqrt(2 / (128 + 16)), rel_tol=0.05)
    assert math.isclose(relation.output.weight.std().item(), math.sqrt(2 / 256), rel_tol=0.05)
    assert math.isclose(head.fusion.weight.abs().max().item(), 1 / math.sqrt(256), rel_tol=0.01)


def test_how_molo_starts():
    head = make("molo", width=256)
    for branch in (head.appearance, head.motion):
        assert branch.scale.item() == 1 and abs(branch.token.mean().item()) < 0.2
        assert math.isclose(branch.token.std().item(), 1, rel_tol=0.2)
    assert [norm.num_features for norm in head.for_training["decoder"].norms] == [128, 32, 16]


def test_dropout_is_of_the_settings():
    settings = HyrsmConfig(
        position_dropout=0.11, attention_dropout=0.12, relation_dropout=0.13, relation_output_dropout=0.14
    )
    found = [m.p for m in Hyrsm(Inputs(WIDTH, FRAMES), settings).modules() if isinstance(m, nn.Dropout)]
    assert sorted(found) == [0.11, 0.12, 0.13, 0.14]


def test_molo_keeps_maps_of_motion_only_to_train():
    head = make("molo")
    videos = features(head, 2)
    kept = {name: each.shape for name, each in head.train().store({head.needs.kind: videos}).items()}
    assert kept == {"appearance": (2, 4, 16), "motion": (2, 3, 16), "differences": (2, 3, 2, 2, 2)}
    assert "differences" not in head.eval().store({head.needs.kind: videos})
    assert head.losses(episode(head, shot=1))[1]["reconstruction"] == 0


def test_molo_reconstructs_support_and_queries_together():
    head = make("molo").train()
    drawn = episode(head, shot=1)
    norm = head.for_training["decoder"].norms[0]
    seen = []
    norm.register_forward_hook(lambda module, given, result: seen.append(len(given[0])))
    head.losses(drawn)
    assert seen == [WAY * 3 * (FRAMES - 1)]


@pytest.mark.parametrize("case", CASES)
def test_heads_that_do_not_divide_the_width(case):
    with pytest.raises(UserError, match="does not divide the backbone's width 20"):
        make(case, width=20)


def test_molo_needs_two_frames():
    with pytest.raises(UserError, match="must be at least 2, and not 1"):
        make("molo", frames=1)
