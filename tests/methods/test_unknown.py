"""What is learnt from unknown queries: against the golden tensors of the public lines, and in every kind of head."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.methods.blocks.learns_unknown import learning
from fsar.methods.blocks.unknown import (
    Discriminator,
    TupleDiscriminator,
    compared,
    discriminator_loss,
    eos_loss,
    with_garbage,
)
from fsar.methods.head import TrainingEpisode, build_head
from fsar.methods.needs import Inputs
from fsar.methods.record import Components
from fsar.statistics.unknown_as_published import PUBLISHED
from tests.conftest import REPOSITORY
from tests.evaluation.test_evaluation import TRANSFORMER, given
from tests.helpers.small_models import small_head

GOLDEN = REPOSITORY / "tests/golden/methods"
LEARN = {name: parts for name, parts in MODELS.items() if parts.unknown}


def close(found, expected, tolerance):
    """Compare to a share of the largest entry."""
    expected = torch.as_tensor(expected)
    assert (found - expected).abs().max() <= tolerance * expected.abs().max().clamp_min(1e-6)


def fill(modules, tensors, prefix="param_"):
    """Set the weights of modules by their published names."""
    with torch.no_grad():
        for name, module in modules.items():
            for part in ("weight", "bias"):
                getattr(module, part).copy_(torch.from_numpy(tensors[f"{prefix}{name}.{part}"]))


def test_the_tuples_discriminator_is_the_published_one():
    golden = np.load(GOLDEN / "frdisc_tuples_train.npz", allow_pickle=True)
    part = TupleDiscriminator(10, 28, dropout=0.0)
    modules = {f"fc{n + 1}": layer for n, layer in enumerate(part.layers)}
    modules |= {f"bn{n + 1}": norm for n, norm in enumerate(part.norms)} | {"fc4": part.narrow, "fc5": part.joined}
    fill(modules, golden)
    for name, module in modules.items():
        for buffer in ("running_mean", "running_var") if name.startswith("bn") else ():
            getattr(module, buffer).copy_(torch.from_numpy(golden[f"buffer_{name}.{buffer}"]))
    residuals = torch.from_numpy(golden["in_residuals"]).requires_grad_()
    known = torch.from_numpy(golden["in_known"]) > 0
    logits = part(residuals)
    close(logits.sigmoid(), golden["out_known_probability"][:, 0], 1e-6)
    loss = discriminator_loss(logits, torch.where(known, 0, -1), known)
    close(loss, golden["loss_total"], 1e-6)
    loss.backward()
    close(residuals.grad, golden["grad_in_residuals"], 1e-5)
    for name, module in modules.items():
        for kind in ("weight", "bias"):
            expected = torch.from_numpy(golden[f"grad_{name}.{kind}"])
            if expected.abs().max() > 1e-6:
                close(getattr(module, kind).grad, expected, 1e-5)
        if name.startswith("bn"):
            close(module.running_mean, golden[f"buffer_after_{name}.running_mean"], 1e-5)
            close(module.running_var, golden[f"buffer_after_{name}.running_var"], 1e-5)


class Safsar(nn.Module):
    """SAFSAR's steps after its video model, written plainly, to see what is learnt from unknown queries within it."""

    def __init__(self, golden):
        super().__init__()
        width, forward, heads = 16, 20, int(golden["heads"])

        def layer():
            return nn.TransformerEncoderLayer(width, heads, forward, dropout=0.0, batch_first=True)

        self.fc_norm = nn.LayerNorm(width)
        self.mm_fusion_module = nn.Module()
        self.mm_fusion_module.layers = nn.ModuleList(layer() for _ in range(2))
        self.task_specific_learning_module = nn.Module()
        self.task_specific_learning_module.layers = nn.ModuleList([layer()])
        self.global_classification_layer = nn.Linear(width, 6)
        if "param_garbage_prototype" in golden:
            self.garbage_prototype = nn.Parameter(torch.empty(1, width))
        if "param_discriminator.fc1.weight" in golden:
            self.discriminator = Discriminator(width)

    def forward(self, golden):
        """Return (Q, N or N + 1) similarities, the discriminator's residuals, vectors and labels of videos."""
        support, queries = (self.fc_norm(tokens.mean(dim=1)) for tokens in self.tokens)
        labels = torch.from_numpy(golden["in_support_labels"])
        texts = torch.from_numpy(golden["in_text"]).split(golden["in_text_lengths"].tolist())
        prototypes = []
        for label, number in enumerate(golden["in_classes"]):
            own = torch.cat([support[labels == label].mean(dim=0, keepdim=True), texts[number]])
            for one in self.mm_fusion_module.layers:
                own = one(own.unsqueeze(0))[0]
            prototypes.append(own[0])
        self.prototypes = torch.stack(prototypes)
        compared_with = self.prototypes
        if hasattr(self, "garbage_prototype"):
            compared_with = torch.cat([compared_with, self.garbage_prototype])
        joined = torch.cat([queries.unsqueeze(1), compared_with.expand(len(queries), -1, -1)], dim=1)
        found = self.task_specific_learning_module.layers[0](joined)
        similarity = F.cosine_similarity(found[:, :1], found[:, 1:], dim=-1)
        best = similarity.argmax(dim=1)
        return similarity, found[:, 0] - found[torch.arange(len(found)), best + 1], support, queries


def published_names(module):
    """Yield each parameter with its name in the golden file."""
    for name, parameter in module.named_parameters():
        if name.startswith("discriminator.layers."):
            number, kind = name.removeprefix("discriminator.layers.").split(".")
            name = f"discriminator.fc{int(number) + 1}.{kind}"
        yield name, parameter


@pytest.mark.parametrize("kind", ["eos", "gc", "discriminator"])
def test_what_is_learnt_within_safsar_equals_the_public_lines(kind):
    """Similarities, losses and all gradients, with the classes' own cross-entropies that the public code adds."""
    golden = np.load(GOLDEN / f"safsar_{kind}_train_3way2shot.npz", allow_pickle=True)
    assert json.loads(str(golden["meta"]))["open_set"] == kind
    model = Safsar(golden)
    with torch.no_grad():
        for name, parameter in published_names(model):
            parameter.copy_(torch.from_numpy(golden[f"param_{name}"]))
    model.tokens = [torch.from_numpy(golden[f"in_{part}_tokens"]).requires_grad_() for part in ("support", "query")]
    similarity, residuals, support, queries = model(golden)
    close(similarity, golden["out_similarity"], 1e-5)
    close(model.prototypes, golden["out_prototypes"], 1e-5)
    labels, way = torch.from_numpy(golden["in_query_labels"]), int(golden["way"])
    known, classes = labels >= 0, torch.from_numpy(golden["in_classes"])
    of_support = classes[torch.from_numpy(golden["in_support_labels"])]
    own = F.cross_entropy(model.global_classification_layer(support), of_support)
    own = own + F.cross_entropy(model.global_classification_layer(queries[known]), classes[labels[known]])
    if kind == "gc":
        order = torch.cat([torch.where(known)[0], torch.where(~known)[0]])
        loss = F.cross_entropy(similarity[order], with_garbage(labels[known], int((~known).sum()), way))
        close(loss, golden["loss_l1_loss"], 1e-6)
    else:
        loss = F.cross_entropy(similarity[known], labels[known])
    if kind == "eos":
        further = eos_loss(similarity[~known])
        close(further, golden["loss_unknown_loss"], 1e-6)
        loss = loss + further
    if kind == "discriminator":
        logits = model.discriminator(residuals)
        close(logits.sigmoid(), golden["out_known_probability"][:, 0], 1e-5)
        further = float(golden["disc_weight"]) * discriminator_loss(logits, labels, similarity.argmax(dim=1) == labels)
        close(further, golden["loss_os_loss"], 1e-5)
        loss = loss + further
    own = float(golden["alpha"]) * own
    close(own, golden["loss_l2_loss"], 1e-5)
    loss = loss + own
    close(loss, golden["loss_total"].reshape(()), 1e-5)
    loss.backward()
    for name, parameter in published_names(model):
        expected = torch.from_numpy(golden[f"grad_{name}"])
        if expected.abs().max() > 1e-5:
            close(parameter.grad, expected, 1e-4)
    for part, tokens in zip(("support", "query"), model.tokens, strict=True):
        close(tokens.grad, golden[f"grad_in_{part}_tokens"], 1e-4)
    scores = {"eos": similarity.softmax(dim=1).amax(dim=1), "gc": 1 - similarity.softmax(dim=1)[:, -1]}
    score = scores[kind] if kind in scores else model.discriminator(residuals).sigmoid()
    name = "mss" if kind == "eos" else "score"
    close(score, golden[f"out_score_{name}"], 1e-5)
    own_scores, right = score.detach().double().numpy(), (similarity[:, :way].argmax(dim=1) == labels).numpy()
    for measure, function in PUBLISHED.items():
        found = function(own_scores[known], own_scores[~known], right[known])
        assert found == pytest.approx(float(golden[f"out_{measure}_{name}"]), abs=1e-6), measure


def test_the_discriminator_learns_from_right_known_and_as_many_unknown_queries():
    labels = torch.tensor([-1, 0, 1, -1, 2, -1])
    right = torch.tensor([True, True, False, False, False, False])
    assert compared(labels, right).tolist() == [True, True, False, False, False, False]
    logits = torch.tensor([1.0, 2.0, 9.0, 9.0, 9.0, 9.0], requires_grad=True)
    expected = (F.softplus(torch.tensor(1.0)) + F.softplus(torch.tensor(-2.0))) / 2
    close(discriminator_loss(logits, labels, right), expected, 1e-6)
    nothing = discriminator_loss(logits, labels, right & (labels > 5))
    nothing.backward()
    assert nothing == 0 and (logits.grad == 0).all()


def an_episode(parts, unknown=4, way=3, shot=2, queries=2):
    torch.manual_seed(0)
    settings = small_head(parts)
    width = 8 if parts.needs == "maps" else 32
    head = build_head(parts, Inputs(width, 8, 5, transformer=TRANSFORMER), settings)
    frames = torch.randn(40, 8, 32, requires_grad=True)
    count = way * (shot + queries)
    stored = head.store({name: each[: count + unknown] for name, each in given(head.needs, frames).items()})
    known, others = ({name: each[part] for name, each in stored.items()} for part in (slice(count), slice(count, None)))
    text = torch.randn(5, 32)
    return head, TrainingEpisode(way, shot, known, torch.tensor([4, 0, 2]), text, unknown=others)


@pytest.mark.parametrize("name", LEARN)
def test_every_model_that_learns_has_a_loss_and_gradients_of_unknown_queries(name):
    head, episode = an_episode(LEARN[name])
    head.train()
    logits, losses = head.losses(episode)
    weights = head.loss_weights_at(2)
    assert logits.shape == (6, 3) and set(losses) == set(weights) == set(head.loss_names)
    assert ("unknown" in losses) == (LEARN[name].unknown != "gc")
    total = sum(weights[one] * losses[one] for one in losses)
    total.backward()
    assert torch.isfinite(total)
    learnt = [own for part, own in head.named_parameters() if part.split(".")[0] in ("garbage", "discriminator")]
    assert bool(learnt) == (LEARN[name].unknown != "eos")
    plain = build_head(Components(head=LEARN[name].head, fixed=LEARN[name].fixed), head.inputs, head.settings).train()
    if LEARN[name].unknown != "gc":
        plain.load_state_dict({key: own for key, own in head.state_dict().items() if key in plain.state_dict()})
        plain.eval(), head.eval()
        torch.testing.assert_close(head.losses(episode)[0], plain.losses(episode)[0])


@pytest.mark.parametrize("name", [name for name, parts in LEARN.items() if parts.unknown != "eos"])
def test_in_tests_a_head_says_how_sure_it_is(name):
    head, episode = an_episode(LEARN[name])
    head.eval()
    with torch.inference_mode():
        scores = head.episode_stage(*head.staged(episode))
    assert scores["known"].shape == (1, 6, 1) and ((scores["known"] > 0) & (scores["known"] < 1)).all()
    assert head.decide(scores).shape == (1, 6, 3)


def test_training_moves_what_is_known_apart_from_what_is_not():
    """Unknown queries of a direction of their own are told after a few steps."""
    for name in ("otam-frdisc", "otam-gc"):
        head, episode = an_episode(LEARN[name])
        episode = replace(
            episode, **{part: {"frames": getattr(episode, part)["frames"].detach()} for part in ("stored", "unknown")}
        )
        frames = episode.stored["frames"]
        centres = torch.randn(3, 1, 32)
        labels = torch.cat([torch.arange(3).repeat_interleave(2)] * 2)
        frames.copy_(centres[labels] + 0.1 * torch.randn_like(frames))
        episode.unknown["frames"].copy_(torch.randn(1, 1, 32) + 0.1 * torch.randn_like(episode.unknown["frames"]))
        optimizer = torch.optim.Adam(head.train().parameters(), 0.01)
        for _ in range(60):
            optimizer.zero_grad()
            losses = head.losses(episode)[1]
            sum(losses.values()).backward()
            optimizer.step()
        head.eval()
        with torch.inference_mode():
            known = head.episode_stage(*head.staged_with_unknown(episode))["known"][0, :, 0]
        assert known[:6].min() > known[6:].max(), name


def test_what_a_head_cannot_learn_is_said():
    settings = small_head(MODELS["clip-fsar"])
    with pytest.raises(UserError, match="garbage class is a video of frames without a text"):
        build_head(Components(head="clip_fsar", unknown="gc"), Inputs(32, 8), settings)
    with pytest.raises(UserError, match="FR-Disc looks at frames or at tuples"):
        build_head(Components(head="molo", unknown="discriminator"), Inputs(32, 8), small_head(MODELS["molo"]))
    with pytest.raises(ValueError, match="learns from unknown queries is trained"):
        Components(trains="nothing", unknown="eos")
    assert issubclass(
        learning(
            type(build_head(MODELS["otam"], Inputs(32, 8), MODELS["otam"].settings)), MODELS["otam"].settings, "eos"
        ),
        nn.Module,
    )
