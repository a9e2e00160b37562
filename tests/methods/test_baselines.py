"""Plain baselines on features as they are, each against an independent computation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from fsar.evaluation.episode_logits import predict
from fsar.evaluation.kept_features import Features, rows_of
from fsar.evaluation.text_weight import WEIGHTS, best_text_weight
from fsar.methods.head import build_head
from fsar.methods.linear_probe.logistic import fit
from fsar.methods.needs import Inputs
from fsar.methods.record import Components, record_of
from perf.worlds import draw

WIDTH, FRAMES = 32, 4


def head_of(folder, **settings):
    section = record_of(folder).head
    return build_head(Components(head=folder, trains="nothing"), Inputs(WIDTH, FRAMES), section(**settings)).eval()


def episode(way, shot, queries, seed=0, spread=1.0):
    """Return frames of support and queries, (N, K, T, D) and (Q, T, D), and texts (N, D)."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    centres = draw(way, 1, 1, WIDTH)
    support = centres + spread * draw(way, shot, FRAMES, WIDTH)
    asked = centres.squeeze(1)[torch.arange(queries) % way] + spread * draw(queries, FRAMES, WIDTH)
    return support, asked, draw(way, WIDTH)  # texts that do not know the classes: there is much to fit


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def as_vectors(frames):
    return unit(frames.mean(dim=-2).double().numpy())


@pytest.mark.parametrize(
    ("way", "shot", "inverse_penalty"),
    [(5, 1, 1.0), (5, 5, 1.0), (2, 3, 0.01), (3, 1, 100.0), (5, 5, 1000.0), (24, 1, 1.0), (12, 5, 10.0)],
)
def test_the_linear_probe_is_logistic_regression(way, shot, inverse_penalty):
    support, asked, text = episode(way, shot, 15)
    head = head_of("linear_probe", inverse_penalty=inverse_penalty)
    found = head.few_shot_logits(support, asked, text)
    # scikit-learn fits two classes by one vector of weights, which is another penalty: weights of opposite sign count
    # half each, so the same problem has twice the inverse penalty.
    own = LogisticRegression(C=inverse_penalty * (2 if way == 2 else 1), solver="newton-cholesky", tol=1e-12)
    own.fit(as_vectors(support).reshape(way * shot, WIDTH), np.repeat(np.arange(way), shot))
    expected = own.decision_function(as_vectors(asked))
    if way == 2:
        expected = np.stack([-expected, expected], axis=1) / 2
    centred = found.numpy() - found.numpy().mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred, expected - expected.mean(axis=1, keepdims=True), atol=1e-4)


def test_problems_together_are_problems_alone():
    """Also where two samples are the same video, and the matrix of inner products is singular."""
    samples = torch.randn(6, 10, WIDTH, generator=torch.Generator().manual_seed(1))
    samples[2, 1] = samples[2, 0]
    gram, labels = samples @ samples.mT, torch.arange(5).repeat_interleave(2)
    coefficients, bias = fit(gram, labels, 1.0)
    for number in range(len(gram)):
        alone = fit(gram[number : number + 1], labels, 1.0)
        torch.testing.assert_close(coefficients[number], alone[0][0], atol=1e-6, rtol=0)
        torch.testing.assert_close(bias[number], alone[1][0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("way", "shot"), [(5, 1), (3, 4)])
def test_nearest_centroid(way, shot):
    support, asked, text = episode(way, shot, 9)
    found = head_of("nearest_centroid").few_shot_logits(support, asked, text)
    centroids, queries = as_vectors(support).mean(axis=1), as_vectors(asked)
    lengths = np.linalg.norm(centroids, axis=-1)
    expected = queries @ centroids.T / (lengths + 0.01)  # ε of the cosine of every method here
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("way", "shot"), [(5, 1), (3, 4)])
@pytest.mark.parametrize("steps", [0, 20])
def test_tip_adapter(way, shot, steps):
    """Against automatic differentiation and PyTorch's own AdamW."""
    support, asked, text = episode(way, shot, 9, spread=3.0)
    head = head_of("tip_adapter", steps=steps, residual=1.3, sharpness=4.0)
    found = head.few_shot_logits(support, asked, text)
    videos, queries = (torch.from_numpy(as_vectors(own)).float() for own in (support.flatten(0, 1), asked))
    names = F.normalize(text, dim=-1)
    labels = torch.arange(way).repeat_interleave(shot)
    values = F.one_hot(labels).float()
    cache = videos.clone().requires_grad_(True)

    def logits(samples):
        affinity = samples @ cache.T
        return 100 * samples @ names.T + 1.3 * torch.exp(-(4.0 - 4.0 * affinity)) @ values

    optimizer = torch.optim.AdamW([cache], lr=0.001, eps=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(logits(videos), labels).backward()
        optimizer.step()
        schedule.step()
    moved = (cache - videos).abs().max().item()
    assert (moved > 1e-3) == (steps > 0)
    torch.testing.assert_close(found, logits(queries).detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("text_weight", "shot"), [(0.0, 1), (0.3, 4), (1.0, 1)])
def test_clip_as_a_classifier(text_weight, shot):
    support, asked, text = episode(3, shot, 9)
    head = head_of("clip_classifier", text_weight=text_weight)
    found = head.few_shot_logits(support, asked, text)
    by_support = head_of("nearest_centroid").few_shot_logits(support, asked, text).numpy()
    by_names = as_vectors(asked) @ unit(text.double().numpy()).T
    expected = 100 * ((1 - text_weight) * by_support + text_weight * by_names)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def world(useful_text, useful_videos, views=1):
    """Return features of videos of six classes, and their episodes; texts or videos may know nothing of the classes."""
    generator = torch.Generator().manual_seed(3)
    centres = torch.randn(6, WIDTH, generator=generator)
    labels = torch.arange(90) % 6
    known = centres[labels] if useful_videos else torch.zeros(90, WIDTH)
    frames = [known[:, None] + 2 * torch.randn(90, FRAMES, WIDTH, generator=generator) for _ in range(views)]
    noise = 3 * torch.randn(6, WIDTH, generator=generator)
    text = centres + noise / 2 if useful_text else noise
    ids, names = [str(n) for n in range(90)], [str(n) for n in range(6)]
    stored = {"frames": torch.cat(frames)}
    return Features(rows_of(ids), stored, rows_of(names), text), draw(ids, [names[n] for n in labels], 1, 80)


@pytest.mark.parametrize(("useful_text", "useful_videos"), [(True, True), (False, True), (True, False)])
def test_the_weight_of_class_names_is_the_best_on_the_episodes(useful_text, useful_videos):
    features, episodes = world(useful_text, useful_videos, views=2)
    head = head_of("clip_classifier")
    assert head.text_weight == 0.5 and head.settings.chooses_text_weight
    chosen, share = best_text_weight(head, episodes, features)
    right = {}
    for weight in WEIGHTS:
        own = head_of("clip_classifier", text_weight=weight)
        predicted = np.stack([predict(own, episodes, view) for view in features.views])
        right[weight] = (predicted == np.arange(predicted.shape[2])[:, None]).mean()
    assert share == right[chosen] == max(right.values()) and head.text_weight == chosen
    assert len({round(value, 3) for value in right.values()}) > 5
    if useful_text != useful_videos:
        assert (chosen > 0.5) == useful_text
