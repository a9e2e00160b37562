"""CLIP-SPM and EMP-Net beside their golden tensors: what holds for any episode, and how they are tested."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from open_clip.transformer import VisionTransformer
from torch import nn

from fsar.episodes.stored import StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.episode_logits import episode_logits
from fsar.evaluation.kept_features import Features
from fsar.methods import Components
from fsar.methods.blocks.otam import both_directions
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.clipspm.record import ClipspmConfig
from fsar.methods.empnet.head import GRAINS
from fsar.methods.empnet.record import EmpnetConfig
from fsar.methods.head import Head, TrainingEpisode, build_head
from fsar.methods.needs import Inputs
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel

WIDTH, FRAMES, CLASSES, WAY, PATCHES, TEXTS, LEVELS = 16, 4, 6, 3, 5, 3, 2
SMALL = {"heads": 2, "head_width": 4, "feed_forward": 20}
CASES = {
    "clipspm": ClipspmConfig(**SMALL),
    "clipspm-labels": ClipspmConfig(**SMALL, episode_token="labels"),
    "empnet": EmpnetConfig(levels=[1, 2], top_patches=2),
    "empnet-before": EmpnetConfig(levels=[1, 2], top_patches=2, merge_before=True),
    "empnet-after": EmpnetConfig(levels=[1, 2], top_patches=20, merge_before=False, cross_entropy="probabilities"),
}
EMPNETS = [case for case in CASES if case.startswith("empnet")]


def make(case: str, classes: int = CLASSES, settings=None, **inputs) -> Head:
    torch.manual_seed(3)
    sizes = {"width": WIDTH, "frames": FRAMES} | inputs
    return build_head(Components(head=case.split("-")[0]), Inputs(classes=classes, **sizes), settings or CASES[case])


def given(head: Head, videos: int) -> dict[str, torch.Tensor]:
    """What the backbone gives of videos."""
    torch.manual_seed(videos)
    if head.needs.kind == "tokens":
        return {"tokens": torch.randn(videos, FRAMES, LEVELS, 1 + PATCHES, WIDTH)}
    return {"frames": torch.randn(videos, FRAMES, WIDTH)}


def texts(head: Head) -> torch.Tensor:
    torch.manual_seed(7)
    return torch.randn(CLASSES, TEXTS, WIDTH) if head.needs.kind == "tokens" else torch.randn(CLASSES, WIDTH)


def training_episode(head: Head, shot: int, queries: int = 2) -> TrainingEpisode:
    stored = head.store(given(head, WAY * (shot + queries)))
    return TrainingEpisode(WAY, shot, stored, torch.tensor([4, 0, 5]), texts(head))


def evaluated(head: Head, episode: TrainingEpisode, inductive: bool = False) -> torch.Tensor:
    """Return the logits that the evaluation has for two test episodes, the second of which is the one given: (Q, N)."""
    supports = np.arange(episode.supports).reshape(1, WAY, episode.shot)
    queries = np.arange(episode.supports, len(episode.video_classes)).reshape(1, WAY, -1)
    classes = episode.classes.numpy()[None]
    # The first has the classes' videos the other way round.
    episodes = StoredEpisodes(
        [f"v{number}" for number in range(len(episode.video_classes))],
        [f"c{number}" for number in range(CLASSES)],
        np.concatenate([classes[:, ::-1], classes]),
        np.concatenate([supports[:, ::-1], supports]),
        np.concatenate([queries[:, ::-1], queries]),
    )
    rows = ({name: int(name[1:]) for name in names} for names in (episodes.video_ids, episodes.class_names))
    videos, numbers = rows
    parts = episode_logits(head, episodes, Features(videos, episode.stored, numbers, episode.text), inductive=inductive)
    return torch.cat(list(parts))[1]


@pytest.mark.parametrize("shot", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_training_decides_as_the_tests_do(case, shot):
    head = make(case).eval()
    with torch.no_grad():
        episode = training_episode(head, shot)
        logits, _ = head.losses(episode)
    torch.testing.assert_close(logits, evaluated(head, episode), rtol=1e-5, atol=1e-5)
    assert logits.std(dim=0).min() > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_whether_queries_see_one_another(case):
    head = make(case).eval()
    with torch.no_grad():
        episode = training_episode(head, shot=2)
        together, alone = (evaluated(head, episode, inductive) for inductive in (False, True))
        other = {
            name: torch.cat([videos[:-1], torch.randn_like(videos[-1:])]) for name, videos in episode.stored.items()
        }
        changed = replace(episode, stored=other)
    assert head.queries_apart is torch.allclose(together, alone, atol=1e-5)
    assert head.queries_apart is torch.allclose(together[:-1], evaluated(head, changed)[:-1], atol=1e-6)
    assert torch.allclose(alone[:-1], evaluated(head, changed, inductive=True)[:-1], atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_losses_have_names_and_reach_every_parameter(case):
    head = make(case).train()
    _, losses = head.losses(training_episode(head, shot=2))
    assert set(losses) == set(head.loss_names) == set(head.loss_weights()) and head.loss_names[0] == "few_shot"
    sum(head.loss_weights()[name] * loss for name, loss in losses.items()).backward()
    assert [name for name, p in head.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_only_the_losses_of_clipspm_look_at_motion():
    bare, whole = make("clipspm", classes=0).train(), make("clipspm")
    assert not bare.for_training and whole.for_training["motion"].factor == 1
    trained = {name for name in whole.state_dict() if not name.startswith("for_training.")}
    assert trained == set(bare.state_dict())
    assert set(bare.losses(training_episode(bare, shot=1))[1]) == {"few_shot"}
    with pytest.raises(UserError, match="must be at least 2, and not 1"):
        make("clipspm", frames=1)


def test_labels_of_as_many_queries_tell_nothing():
    heads = [make(case).eval() for case in ("clipspm", "clipspm-labels")]
    episode = training_episode(heads[0], shot=2)
    by_classes, by_labels = (head.losses(episode)[0] for head in heads)
    torch.testing.assert_close(by_labels, by_classes, rtol=1e-5, atol=1e-5)
    # Tests do not look at labels, whatever the setting is.
    assert torch.equal(*(evaluated(head, episode, inductive=True) for head in heads))


def test_clipspm_is_what_its_paper_says():
    """Episodes of several support videos, class by class and frame by frame."""
    head = make("clipspm").eval()
    with torch.no_grad():
        episode = training_episode(head, shot=2)
        shots, asked = (part["frames"] for part in episode.split(episode.stored))
        names = episode.text[episode.classes]

        def fused(frames, token):  # of one video
            mixed = 0.2 * token * head.text_gate(token) + frames * head.frame_gate(frames)
            tokens = torch.cat([token[None], mixed])[None]
            return head.within_video(tokens, outputs=len(frames) + 1)[0, 1:]

        support = torch.stack([fused(video, names[n // 2]) for n, video in enumerate(shots)])  # (N·K, T, D)
        queries = torch.stack([fused(video, head.make_token(names.mean(dim=0) * video.mean())) for video in asked])
        means = [torch.cat([support[2 * n : 2 * n + 2], queries]).mean(dim=0) for n in range(WAY)]
        common = torch.stack(means).mean(dim=0)

        def related(videos):
            frames = [head.across_videos(videos[None, :, t], outputs=len(videos))[0] for t in range(FRAMES)]
            return torch.stack(frames, dim=1)

        seen, asking = related(torch.stack([*means, *support])), related(torch.stack([common, *queries]))
        local = head.distances(queries, support.unflatten(0, (WAY, 2)).mean(dim=1))
        task = head.distances(asking[1:], seen[WAY:].unflatten(0, (WAY, 2)).mean(dim=1))
        task = task + head.distances(asking[:1], seen[:WAY])
        logits, _ = head.losses(episode)
    torch.testing.assert_close(logits, -(0.5 * local + task), rtol=1e-4, atol=1e-4)


def test_gates_are_as_wide_as_they_are_said_to_be():
    head = make("clipspm", settings=ClipspmConfig(**SMALL, text_gate=2, frame_gate=0.25, slope=0.1))
    assert [gate[0].out_features for gate in (head.text_gate, head.frame_gate)] == [32, 4]
    assert head.text_gate[1].negative_slope == 0.1
    dropouts = [m.p for m in make("clipspm", settings=ClipspmConfig(**SMALL)).modules() if isinstance(m, nn.Dropout)]
    assert sorted(dropouts) == [0.05] * 4 + [0.2] * 2


def test_a_training_episode_of_empnet_looks_at_one_text_and_a_test_at_their_mean():
    head = make("empnet")
    for module in head.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        episode = training_episode(head, shot=1)
        each = [head.train().losses(replace(episode, text=episode.text[:, [n]]))[0] for n in range(TEXTS)]
        drawn = []
        for seed in range(8):
            torch.manual_seed(seed)
            logits, _ = head.losses(episode)
            drawn += [n for n in range(TEXTS) if torch.equal(logits, each[n])]
        assert len(drawn) == 8 and len(set(drawn)) > 1
        mean, _ = head.eval().losses(replace(episode, text=episode.text.mean(dim=1, keepdim=True)))
        torch.testing.assert_close(head.losses(episode)[0], mean)


def test_when_empnet_averages_shots():
    cases = {case: [make(case).merges_before(shot) for shot in (1, 2)] for case in EMPNETS}
    assert cases == {"empnet": [False, True], "empnet-before": [True, True], "empnet-after": [False, False]}
    before, after, auto = (make(case).eval() for case in ("empnet-before", "empnet-after", "empnet"))
    with torch.no_grad():
        episode = training_episode(before, shot=2)
        logits = [head.few_shot(*head.staged(episode)) for head in (before, after, auto)]
        shots, asked = episode.split(episode.stored)
        token = episode.text[episode.classes].mean(dim=1, keepdim=True)  # (N, 1, D)
        means, layer = shots["tokens"].unflatten(0, (WAY, 2)).mean(dim=1), before.fusion["tokens"]
        prototypes = layer.between(means + token, torch.cat([means, token], dim=1))
        queries = layer(asked["tokens"], outputs=FRAMES)
    assert torch.equal(logits[0], logits[2]) and (logits[0] - logits[1]).abs().max() > 1e-3
    expected = -both_directions(frame_distances(queries, prototypes), smoothing=0.5)
    torch.testing.assert_close(logits[0][0, ..., GRAINS.index("tokens")], expected)


def test_empnet_decides_by_the_mean_of_six_probabilities():
    head = make("empnet").eval()
    with torch.no_grad():
        episode = training_episode(head, shot=1)
        scores = head.episode_stage(*head.staged(episode))
    assert set(scores) == {*GRAINS, *(f"{grain}_text" for grain in GRAINS)}
    mean = torch.stack(list(scores.values())).mean(dim=0)
    torch.testing.assert_close(head.decide(scores).softmax(dim=-1), mean)
    support = make("empnet", settings=EmpnetConfig(levels=[1], text_score_weight=0)).decide(scores).softmax(dim=-1)
    torch.testing.assert_close(support, torch.stack([scores[grain] for grain in GRAINS]).mean(dim=0))


def test_the_published_cross_entropy_of_empnet_is_of_probabilities():
    ours, published = make("empnet"), make("empnet-after")
    logits, labels = 100 * torch.eye(5).unsqueeze(-1).expand(-1, -1, 3), torch.arange(5)
    assert ours.cross_entropy(logits, labels) == 0
    assert math.isclose(published.cross_entropy(logits, labels).item(), 3 * math.log(1 + 4 / math.e), rel_tol=1e-6)


def test_patches_are_fused_some_videos_at_a_time(monkeypatch):
    head = make("empnet").eval()
    with torch.no_grad():
        patches = head.store(given(head, 5))["patches"]
        whole = head.fused_patches(patches, texts(head)[:5, 0])
        monkeypatch.setattr("fsar.methods.empnet.head.VIDEOS_AT_ONCE", 2)
        torch.testing.assert_close(head.fused_patches(patches, texts(head)[:5, 0]), whole)
    assert whole.shape == (5, FRAMES, WIDTH)


def test_empnet_compares_with_texts_by_the_highest_cosines():
    head = make("empnet").eval()
    with torch.no_grad():
        stored = head.store(given(head, 2))
        found = head.class_stage(stored, texts(head))["text"]
        text = texts(head).mean(dim=1)
        patches = 1 - frame_distances(stored["patches"].flatten(1, 2), text[:, None])[..., 0].unflatten(2, (FRAMES, -1))
    expected = patches.mean(dim=2).sort(dim=2).values[..., -2:].mean(dim=2)  # (V, C)
    torch.testing.assert_close(found[..., 0], expected)
    assert found.shape == (2, CLASSES, 3)


def test_empnet_in_a_whole_model():
    torch.manual_seed(0)
    visual = VisionTransformer(16, 8, 16, 2, 2, 2.0, output_dim=WIDTH)
    encoders = nn.Module()
    encoders.visual = visual
    backbone = Backbone(encoders, WIDTH, 16, (0.5,) * 3, (0.25,) * 3, None, "small")
    components = Components(head="empnet", trains="head")
    model = FewShotModel(backbone, components, CASES["empnet"], FRAMES, CLASSES)
    model.set_training_text(texts(model.head))
    videos = torch.randint(0, 256, (WAY * 3, FRAMES, 16, 16, 3), dtype=torch.uint8)
    outcome = model.train()(videos, torch.tensor([4, 0, 5]), 1, {})
    assert outcome.total.isfinite() and set(outcome.losses) == {"few_shot", "text"}
    kept = model.eval().encode(videos)
    assert {name: each.shape[1:] for name, each in kept.items()} == {
        "patches": (FRAMES, 4, WIDTH),
        "frames": (FRAMES, WIDTH),
        "tokens": (FRAMES, WIDTH),
    }
    with pytest.raises(UserError, match="has 2 blocks"):
        FewShotModel(backbone, components, EmpnetConfig(), FRAMES, CLASSES)


def test_settings_that_cannot_be():
    with pytest.raises(ValueError, match="must rise"):
        EmpnetConfig(levels=[4, 2])
    with pytest.raises(UserError, match="at least 8 numbers"):
        make("empnet", width=4)
