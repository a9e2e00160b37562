"""Task-Adapter++'s head beside its golden tensors: what its scores depend on, and windows of other sizes."""

import pytest
import torch
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods import Components
from fsar.methods.head import TrainingEpisode, build_head
from fsar.methods.needs import Inputs
from fsar.methods.task_adapter.head import TaskAdapter, windows
from fsar.methods.task_adapter.record import TaskAdapterConfig

WIDTH, FRAMES, WAY, CLASSES, TEXTS = 8, 5, 3, 6, 2


def make(**settings) -> TaskAdapter:
    torch.manual_seed(2)
    head = build_head(Components(head="task_adapter"), Inputs(WIDTH, FRAMES, CLASSES), TaskAdapterConfig(**settings))
    return head.eval()


def drawn(*sizes: int) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(sum(sizes)))


def scores(head: TaskAdapter, support: Tensor, queries: Tensor, text: Tensor) -> Tensor:
    """Return the logits of (B, N, K, T, D), (B, Q, T, D), (B, N, S, D) → (B, Q, N)."""
    merged = head.merge(head.video_stage(head.store({"frames": support})))
    asked = head.video_stage(head.store({"frames": queries}))
    return head.decide(head.episode_stage(merged, asked, text))


def arranged(episodes: int, shot: int, queries: int) -> tuple[Tensor, Tensor, Tensor]:
    return (
        drawn(episodes, WAY, shot, FRAMES, WIDTH),
        drawn(episodes, queries, FRAMES, WIDTH),
        drawn(episodes, WAY, TEXTS, WIDTH),
    )


@pytest.mark.parametrize("settings", [{}, {"aligned_norm": True}, {"orientation": "published"}])
@torch.inference_mode()
def test_episodes_are_apart_and_queries_are_not(settings):
    head = make(**settings)
    support, queries, text = arranged(episodes=2, shot=2, queries=WAY)
    together = scores(head, support, queries, text)
    assert together.shape == (2, WAY, WAY) and not head.queries_apart
    for each in range(2):
        own = slice(each, each + 1)
        torch.testing.assert_close(scores(head, support[own], queries[own], text[own])[0], together[each])
    other = torch.cat([queries[:, :-1], drawn(2, 1, FRAMES, WIDTH)], dim=1)
    changed = (scores(head, support, other, text) - together)[:, 0].abs().max()
    assert changed > 1e-3


@torch.inference_mode()
def test_whether_a_class_depends_on_the_others():
    support, queries, text = arranged(episodes=1, shot=1, queries=WAY)
    other_support = torch.cat([support[:, :-1], drawn(1, 1, 1, FRAMES, WIDTH)], dim=1)
    other_text = torch.cat([text[:, :-1], drawn(1, 1, TEXTS, WIDTH)], dim=1)
    for orientation in ("matched", "published"):
        head = make(orientation=orientation)
        first, second = scores(head, support, queries, text), scores(head, other_support, queries, other_text)
        assert head.classes_apart is torch.allclose(first[..., :-1], second[..., :-1])
        assert head.queries_together is (orientation == "published")


@torch.inference_mode()
def test_scores_are_products_of_the_same_pair_or_of_the_published_ones():
    support, queries, text = arranged(episodes=1, shot=1, queries=WAY)
    head = make(logit_scale=10.0)
    visual, semantic = head.visual(support[:, :, 0], queries)[0], head.semantic(queries, text)[0]
    aligned = head.aligned(queries)[0]
    for q in range(WAY):
        for n in range(WAY):
            pairs = [
                torch.cosine_similarity(text[0, n, s], aligned[q, i], dim=0)
                for s, window in enumerate(((0, 1, 2), (1, 2, 3)))
                for i in window
            ]
            torch.testing.assert_close(semantic[q, n], torch.stack(pairs).mean())
            means = queries[0, q].mean(dim=0), support[0, n, 0].mean(dim=0)
            torch.testing.assert_close(visual[q, n], torch.cosine_similarity(*means, dim=0))
    torch.testing.assert_close(scores(head, support, queries, text)[0], 10 * semantic * visual)
    published = scores(make(logit_scale=10.0, orientation="published"), support, queries, text)[0]
    torch.testing.assert_close(published, 10 * semantic.T * visual)


def test_the_published_orientation_needs_a_query_of_each_class():
    with pytest.raises(UserError, match="needs as many queries as classes, and not 2 for 3"):
        scores(make(orientation="published"), *arranged(episodes=1, shot=1, queries=2))


@torch.inference_mode()
def test_a_query_alone_is_compared_with_its_own_frames():
    """What a single query's frames find in the next ones is these themselves."""
    head, queries = make(), drawn(2, 1, FRAMES, WIDTH)
    torch.testing.assert_close(head.aligned(queries), 2 * queries[:, :, 1:])


@pytest.mark.parametrize("shot", [1, 2])
def test_training_decides_as_the_tests_do(shot):
    head = make(aligned_norm=True)
    support, queries, _ = arranged(episodes=1, shot=shot, queries=2 * WAY)
    stored = head.store({"frames": torch.cat([support[0].flatten(0, 1), queries[0]])})
    texts, classes = drawn(CLASSES, TEXTS, WIDTH), torch.tensor([4, 0, 5])
    texts[[1, 2, 3]] = torch.nan  # not of the episode
    logits, losses = head.losses(TrainingEpisode(WAY, shot, stored, classes, texts))
    torch.testing.assert_close(logits, scores(head, support, queries, texts[classes][None])[0])
    expected = nn.functional.cross_entropy(logits, torch.arange(WAY).repeat_interleave(2))
    assert set(losses) == set(head.loss_names) == {"few_shot"} and torch.equal(losses["few_shot"], expected)
    losses["few_shot"].backward()
    assert all(p.grad.any() for p in head.parameters()) and not head.for_training


def test_windows_of_texts():
    thirds = [[1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1]]
    torch.testing.assert_close(windows(7, 3), torch.tensor(thirds) / 3)  # as published
    torch.testing.assert_close(windows(4, 1), torch.full((1, 4), 0.25))
    torch.testing.assert_close(windows(1, 3), torch.ones(3, 1))
    for frames in range(1, 18):
        for texts in range(1, 7):
            found = windows(frames, texts) > 0
            assert len(found.sum(dim=1).unique()) == 1 and found.any(dim=0).all(), (frames, texts)
            assert found[0, 0] and found[-1, -1] and (found[1:] & found[:-1]).any(dim=1).all(), (frames, texts)


def test_a_single_frame_has_no_neighbour():
    with pytest.raises(UserError, match="must be at least 2, and not 1"):
        TaskAdapter(Inputs(WIDTH, frames=1), TaskAdapterConfig())
