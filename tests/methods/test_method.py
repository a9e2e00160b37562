"""Every variant of the method against the plain implementation in plain.py, and what must hold of any matching."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsar.methods import METHODS, MODELS, Components
from fsar.methods.blocks import trx
from fsar.methods.blocks.metric import load_metric
from fsar.methods.blocks.otam import otam
from fsar.methods.clip_fsar.decision import combined_logits, text_logits
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs
from tests.helpers import plain
from tests.helpers.heads import PLAIN, clip_fsar

METRICS = ["otam", "otam_one_way", "bi_mhm", "mean_cosine", "trx"]
OF_TABLES = ["chamfer", "chamfer_query", "chamfer_support", "mean_pairs", "max_pair", "diagonal"]
WIDTH, HEADS = 16, 4


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def make_head(frames=8, **config) -> ClipFsar:
    """A head in 64 bits with random weights everywhere, norms and scale included."""
    torch.manual_seed(0)
    settings = {"heads": HEADS, "feed_forward": 24} | config
    head = clip_fsar(WIDTH, frames, **settings).double().eval()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, 0.5 if parameter.dim() == 1 else 0.0, 0.3)
    return head


def layers_of(head: ClipFsar) -> list[dict]:
    return [{n: p.tolist() for n, p in layer.named_parameters()} for layer in head.temporal_transformer.layers]


def close(ours: torch.Tensor, expected: list) -> None:
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(2, 9),
    smoothing=st.sampled_from([0.01, 0.1, 0.5, 2.0]),
    seed=st.integers(0, 99),
)
def test_otam_equals_the_recurrence(rows, columns, smoothing, seed):
    distances = random(2, rows, columns, seed=seed).abs()
    close(otam(distances, smoothing), [plain.otam(table.tolist(), smoothing) for table in distances])


@pytest.mark.parametrize("metric", METRICS[:4] + OF_TABLES)
def test_metrics_equal_the_plain_ones(metric):
    queries, prototypes = random(3, 8, WIDTH), random(4, 8, WIDTH, seed=1)
    ours = load_metric(metric, Inputs(WIDTH, 8), 0.3).distances(queries, prototypes)
    close(ours, [[plain.distance(metric, q, p, 0.3) for p in prototypes.tolist()] for q in queries.tolist()])


def test_trx_equals_the_plain_one(monkeypatch):
    monkeypatch.setattr(trx, "TUPLE_WIDTH", 12)  # nothing but the size
    head = make_head(5, **PLAIN, metric="trx")
    support, queries = random(2, 3, 5, WIDTH), random(2, 5, WIDTH, seed=1)
    parameters = {name.removeprefix("metric.tuples."): p.tolist() for name, p in head.named_parameters()}
    expected = [[-plain.trx(q, shots, parameters) for shots in support.tolist()] for q in queries.tolist()]
    close(head.few_shot_logits(support, queries, random(2, WIDTH)), expected)


@pytest.mark.parametrize("way", [3, 10])
@pytest.mark.parametrize(
    ("shot", "depth", "merge", "metric"),
    [
        (1, 1, "before", "otam"),
        (3, 1, "before", "otam"),
        (3, 1, "after", "otam"),
        (2, 3, "before", "otam_one_way"),
        (2, 2, "after", "bi_mhm"),
    ],
)
def test_the_whole_head_equals_the_plain_one(way, shot, depth, merge, metric):
    head = make_head(metric=metric, depth=depth, merge=merge)
    support, queries, text = random(way, shot, 8, WIDTH), random(2, 8, WIDTH, seed=1), random(way, WIDTH, seed=2)
    layers = layers_of(head)
    expected = []
    for query in queries.tolist():
        modulated = plain.transformer(query, layers, HEADS)
        expected.append(
            [
                -plain.distance(metric, modulated, plain.prototype(shots, name, layers, HEADS, merge))
                for shots, name in zip(support.tolist(), text.tolist(), strict=True)
            ]
        )
    close(head.few_shot_logits(support, queries, text), expected)


@pytest.mark.parametrize("beta", [0.0, 0.4, 0.9, 1.0])
def test_deciding_by_text_and_by_both_equals_the_plain_way(beta):
    head = make_head()
    queries, text, distances = random(4, 8, WIDTH), random(5, WIDTH, seed=1), random(4, 5, seed=2).abs() * 8
    scale = head.scale.item()
    logits = text_logits(queries, text, head.text_scale())
    close(logits.softmax(-1), [plain.text_probabilities(q, text.tolist(), scale) for q in queries.tolist()])
    both = combined_logits(-distances, logits, beta, frames=8).exp()
    expected = [
        plain.combined_probabilities(q, text.tolist(), scale, d, beta)
        for q, d in zip(queries.tolist(), distances.tolist(), strict=True)
    ]
    close(both, expected)


def test_frozen_clip_decides_by_text_without_a_scale():
    head = make_head(**PLAIN)
    queries, text = random(4, 8, WIDTH), random(5, WIDTH, seed=1)
    expected = [[plain.cosine(plain.mean(q), t, 0.0) for t in text.tolist()] for q in queries.tolist()]
    close(text_logits(queries, text, head.text_scale()), expected)


def test_single_precision_is_close_enough():
    head = make_head()
    inputs = random(5, 1, 8, WIDTH), random(10, 8, WIDTH, seed=1), random(5, WIDTH, seed=2)
    exact = head.few_shot_logits(*inputs)
    rounded = head.float().few_shot_logits(*(x.float() for x in inputs))
    torch.testing.assert_close(rounded.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("metric", [*METRICS, *OF_TABLES, "linear"])
def test_gradients_are_right(metric, monkeypatch):
    monkeypatch.setattr(trx, "TUPLE_WIDTH", 6)
    head = make_head(4, metric=metric, feed_forward=6)
    support, queries, text = random(2, 1, 4, WIDTH), random(2, 4, WIDTH, seed=1), random(2, WIDTH, seed=2)
    assert torch.autograd.gradcheck(head.few_shot_logits, (support.requires_grad_(), queries.requires_grad_(), text))


@given(smoothing=st.sampled_from([0.01, 0.1, 0.5]), seed=st.integers(0, 99), size=st.integers(2, 8))
@settings(max_examples=50, deadline=None)
def test_no_overflow(smoothing, seed, size):
    """Distances of 1e3 at λ = 0.01 are exponents of 1e5."""
    distances = (random(size, size, seed=seed) * 1e3).float().requires_grad_()
    cost = otam(distances, smoothing)
    cost.backward()
    assert torch.isfinite(cost) and torch.isfinite(distances.grad).all()


@given(seed=st.integers(0, 99), factor=st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_distances_and_smoothing_scale_together(seed, factor):
    distances = random(6, 7, seed=seed).abs()
    torch.testing.assert_close(otam(factor * distances, factor * 0.5), factor * otam(distances, 0.5))


@given(seed=st.integers(0, 999), factor=st.floats(1, 50))
@settings(max_examples=20, deadline=None)
def test_brighter_features_match_alike(seed, factor):
    """Cosine distances forget the length of features, but for the 0.01 beside it."""
    queries, prototypes = 50 * random(3, 8, WIDTH, seed=seed), 50 * random(4, 8, WIDTH, seed=seed + 1)
    for metric in METRICS[:4]:
        matching = load_metric(metric, Inputs(WIDTH, 8), 0.5).distances
        torch.testing.assert_close(
            matching(factor * queries, prototypes), matching(queries, prototypes), rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 999), shot=st.integers(1, 3), merge=st.sampled_from(["before", "after"]))
@settings(max_examples=10, deadline=None)
def test_order_of_classes_queries_and_shots_does_not_matter(metric, seed, shot, merge):
    head = make_head(metric=metric, merge=merge)
    support, queries = random(4, shot, 8, WIDTH, seed=seed), random(5, 8, WIDTH, seed=seed + 1)
    text = random(4, WIDTH, seed=seed + 2)
    logits = head.few_shot_logits(support, queries, text)
    generator = torch.Generator().manual_seed(seed)
    classes, order, shots = (torch.randperm(n, generator=generator) for n in (4, 5, shot))
    permuted = head.few_shot_logits(support[classes][:, shots], queries[order], text[classes])
    torch.testing.assert_close(permuted, logits[order][:, classes])


@pytest.mark.parametrize("metric", METRICS[:4])
@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_the_same_video_has_the_highest_logit(metric, seed):
    videos = random(6, 8, WIDTH, seed=seed)
    head = make_head(**PLAIN, metric=metric)
    logits = head.few_shot_logits(videos.unsqueeze(1), videos, random(6, WIDTH))
    assert (logits.argmax(dim=1) == torch.arange(6)).all()


def test_only_the_alignments_and_trx_see_the_order_of_frames():
    video = random(1, 8, WIDTH)
    for metric in METRICS:
        head = make_head(**PLAIN, metric=metric)
        prototypes = torch.stack([video, video.flip(1)])
        logits = head.few_shot_logits(prototypes, video, random(2, WIDTH))[0].tolist()
        assert math.isclose(logits[0], logits[1], rel_tol=1e-9) is (metric in ("bi_mhm", "mean_cosine")), metric


def test_text_modulates_prototypes_and_not_queries(monkeypatch):
    head = make_head()
    support, queries, text = random(4, 1, 8, WIDTH), random(5, 8, WIDTH, seed=1), random(4, WIDTH, seed=2)
    assert not torch.allclose(
        head.few_shot_logits(support, queries, text), head.few_shot_logits(support, queries, -text)
    )
    prototypes = head.support_stage({"frames": support.flatten(0, 1)}, text, 1)
    monkeypatch.setattr(head, "support_stage", lambda *_: prototypes)
    assert torch.equal(head.few_shot_logits(support, queries, text), head.few_shot_logits(support, queries, -text))
    with pytest.raises(ValueError, match="no video-text objective"):
        make_head(**PLAIN).class_logits(queries, text)
    assert list(make_head(**PLAIN).parameters()) == []


def test_methods_are_sound():
    for method in METHODS.values():
        assert method.title and method.citation and method.model in MODELS
    assert len({method.title for method in METHODS.values()}) == len(METHODS)
    assert {name for name, method in METHODS.items() if method.model == "clip-fsar"} == {
        "clip-fsar", "clip-fsar-text", "clip-fsar-zero-shot",
    }  # fmt: skip
    assert METHODS["clip-zero-shot"].model == METHODS["clip-freeze"].model == "frozen"
    assert METHODS["clip-fsar-zero-shot"].shots([1, 5]) == [0] and METHODS["clip-fsar-text"].shots([1, 5]) == [1, 5]
    with pytest.raises(ValueError, match="adapters are what is trained"):
        Components(trains="adapters")


def test_the_video_text_loss_is_of_every_video_against_all_training_classes():
    """Support and queries alike, each by its own class (Eq. 2): in a plain loop."""
    torch.manual_seed(5)
    way, shot, queries, classes = 2, 3, 4, torch.tensor([4, 1])
    frames, text = torch.randn(way * (shot + queries), 6, 16), torch.randn(5, 16)
    head = clip_fsar(16, 6, heads=2, feed_forward=8).eval()
    _, losses = head.losses(TrainingEpisode(way, shot, {"frames": frames}, classes, text))
    own = [4] * shot + [1] * shot + [4] * queries + [1] * queries
    expected = []
    for video, number in zip(frames, own, strict=True):
        mean = video.mean(dim=0)
        logits = torch.stack([mean @ each / (mean.norm() * each.norm() + 0.01) for each in text])
        expected.append(-logits.log_softmax(dim=0)[number])
    torch.testing.assert_close(losses["video_text"], torch.stack(expected).mean())
