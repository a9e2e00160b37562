"""Number for number: our methods against tensors computed by their public implementations, from frame features on."""

import re

import pytest
import torch
import torch.nn.functional as F

from fsar.methods.blocks import trx
from fsar.methods.blocks.otam import otam
from fsar.methods.blocks.similarity import cosine_similarity
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.model.exchange import from_reference, our_name
from tests.helpers.heads import PLAIN, clip_fsar

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


def test_cosine(golden):
    tensors = golden("cosine")
    torch.testing.assert_close(cosine_similarity(tensors["x"], tensors["y"]), tensors["sim"], **TOLERANCE)


@pytest.mark.parametrize("case", range(4))
def test_otam_in_both_directions(golden, case):
    tensors = golden("otam")
    distances = tensors[f"{case}_dists"]
    forward, backward = otam(distances, 0.5), otam(distances.transpose(-1, -2), 0.5)
    torch.testing.assert_close(forward, tensors[f"{case}_cum_query_to_support"], **TOLERANCE)
    torch.testing.assert_close(backward, tensors[f"{case}_cum_support_to_query"], **TOLERANCE)


def test_otam_gradient(golden):
    tensors = golden("otam")
    distances = tensors["grad_dists"].requires_grad_()
    out = otam(distances, 0.5)
    torch.testing.assert_close(out, tensors["grad_out"], **TOLERANCE)
    (out * tensors["grad_weights"]).sum().backward()
    torch.testing.assert_close(distances.grad, tensors["grad_in"], **TOLERANCE)


def reference_head(tensors: dict[str, torch.Tensor]) -> ClipFsar:
    """Build the head of the golden files: D = 64, feed-forward 128, with the reference's weights, without dropout."""
    config = {"feed_forward": 128, "attention_dropout": 0.0, "feed_forward_dropout": 0.0}
    head = clip_fsar(64, **config)
    prefix = "param_"
    parameters = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    head.load_state_dict({name.removeprefix("head."): value for name, value in from_reference(parameters).items()})
    return head


def episode(tensors: dict[str, torch.Tensor], text: torch.Tensor):
    """Arrange the reference's flat arrays as ours: support (N, K, T, D) by label, queries (Q, T, D), text (N, D)."""
    frames = 8
    support = tensors["in_support_set"].unflatten(0, (-1, frames))
    queries = tensors["in_target_set"].unflatten(0, (-1, frames))
    labels = tensors["in_support_labels"]
    way = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
    classes = tensors["in_real_support_labels"].long()
    return torch.stack([support[i] for i in way]), support, queries, text[torch.stack([classes[i[0]] for i in way])]


def test_training_step_with_all_gradients(golden):
    tensors = golden("head_train_5way1shot")
    for name in ("in_support_set", "in_target_set"):
        tensors[name].requires_grad_()
    head = reference_head(tensors).train()
    by_class, support, queries, text = episode(tensors, tensors["text_train"])

    logits = head.few_shot_logits(by_class, queries, text)
    class_logits = head.class_logits(torch.cat([support, queries]), tensors["text_train"])
    few_shot = F.cross_entropy(logits, tensors["in_target_labels"].long())
    classes = torch.cat([tensors["in_real_support_labels"], tensors["in_real_target_labels"]]).long()
    video_text = F.cross_entropy(class_logits, classes)
    total = (few_shot + tensors["lambda"].float() * video_text) / tensors["loss_divisor"]

    for ours, theirs in [
        (logits, "out_logits"),
        (class_logits, "out_class_logits"),
        (few_shot, "loss_fewshot"),
        (video_text, "loss_video_text"),
        (total, "loss_total"),
    ]:
        torch.testing.assert_close(ours, tensors[theirs], msg=lambda m, name=theirs: f"{name}: {m}", **TOLERANCE)

    total.backward()
    parameters = dict(head.named_parameters())
    compared = 0
    for name, expected in tensors.items():
        if not name.startswith("grad_"):
            continue
        source = name.removeprefix("grad_")
        ours = tensors[source].grad if source in tensors else parameters[our_name(source).removeprefix("head.")].grad
        torch.testing.assert_close(ours, expected, msg=lambda m, name=name: f"{name}: {m}", **TOLERANCE)
        compared += 1
    assert compared == len(parameters) + 2  # every parameter, and both inputs


def test_evaluation_with_five_shots_merged_before(golden):
    tensors = golden("head_eval_5way5shot_merge_before")
    head = reference_head(tensors).eval()
    by_class, support, queries, text = episode(tensors, tensors["text_test"])
    with torch.inference_mode():
        logits = head.few_shot_logits(by_class, queries, text)
        class_logits = head.class_logits(torch.cat([support, queries]), tensors["text_train"])
    torch.testing.assert_close(logits, tensors["out_logits"], **TOLERANCE)
    torch.testing.assert_close(class_logits, tensors["out_class_logits"], **TOLERANCE)


def trx_name(name: str) -> str:
    """Translate a name of TRX's public code: transformers.0.k_linear.weight → metric.tuples.relations.2.key.weight."""
    for theirs, ours in (
        ("transformers.0", "metric.tuples.relations.2"),
        ("transformers.1", "metric.tuples.relations.3"),
        ("k_linear", "key"),
        ("v_linear", "value"),
        ("norm_k", "norm"),
    ):
        name = name.replace(theirs, ours)
    return name


def test_trx_with_all_gradients(golden, monkeypatch):
    """Logits within 2e-5, loss and gradients within 1e-4 of each tensor's largest entry."""
    tensors = golden("trx_train_5way1shot")
    way, shot, frames = (int(tensors[name]) for name in ("way", "shot", "frames"))
    parameters = {trx_name(n.removeprefix("param_")): t for n, t in tensors.items() if n.startswith("param_")}
    # Never used, and a bias that cancels.
    parameters = {name: tensor for name, tensor in parameters.items() if not re.search(r"norm_v|value\.bias", name)}
    monkeypatch.setattr(trx, "TUPLE_WIDTH", len(parameters["metric.tuples.relations.2.key.bias"]))
    monkeypatch.setattr(trx, "DROPOUT", 0.0)
    assert tensors["cardinalities"].tolist() == list(trx.CARDINALITIES)
    inputs = {name: tensors[name].requires_grad_() for name in ("in_support_set", "in_target_set")}
    head = clip_fsar(inputs["in_support_set"].shape[1], frames, **PLAIN, metric="trx").train()
    head.load_state_dict(parameters)

    support, queries = (features.unflatten(0, (-1, frames)) for features in inputs.values())
    labels = tensors["in_target_labels"].long()
    by_class = support[tensors["in_support_labels"].argsort(stable=True)].unflatten(0, (way, shot))
    logits = head.few_shot_logits(by_class, queries, torch.zeros(way, support.shape[-1]))
    loss = F.cross_entropy(logits, labels, reduction="sum") / tensors["loss_divisor"]
    torch.testing.assert_close(logits, tensors["out_logits"], rtol=0, atol=2e-5)
    torch.testing.assert_close(loss, tensors["loss_total"], rtol=1e-4, atol=0)
    loss.backward()
    ours = {name: parameter.grad for name, parameter in head.named_parameters()}
    ours |= {name: features.grad for name, features in inputs.items()}
    gradients = {trx_name(n.removeprefix("grad_")): t for n, t in tensors.items() if n.startswith("grad_")}
    cancelling = {name for name in gradients if name.endswith("value.bias")}
    assert set(gradients) - cancelling == set(ours) and all(gradients[name].abs().max() < 1e-4 for name in cancelling)
    for name in ours:
        gradient = gradients[name]
        tolerance = 1e-4 * gradient.abs().max() + 1e-7
        torch.testing.assert_close(
            ours[name], gradient, rtol=0, atol=tolerance.item(), msg=lambda m, n=name: f"{n}: {m}"
        )
