"""TRX: tobyperrett/trx."""

import re

import torch
from torch import Tensor, nn

from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.needs import Inputs
from fsar.methods.trx.head import Trx
from fsar.methods.trx.record import TrxConfig
from tests.public_code.golden import Computed, Golden, load, without_dropout

OUR_LAYERS = {"k_linear": "key", "v_linear": "value", "norm_k": "norm"}


def run(golden: Golden, stem: str) -> Computed:
    cardinalities = golden.tensors["cardinalities"].tolist()
    frames, width = golden.number("frames"), golden.tensors["in_support_set"].shape[1]
    settings = TrxConfig(cardinalities=cardinalities, tuple_width=tuple_width(golden))
    head = Trx(Inputs(width, frames), settings)
    load(head, golden, lambda name: our_name(name, cardinalities), skip=without_effect(golden))
    without_dropout(head).loss_over_queries = "sum"
    logits, losses = golden.decided(head, episode(golden, head))
    loss = losses["few_shot"] / golden.value("loss_divisor", 1.0)
    golden.backward(loss)
    outputs = {"out_logits": golden.in_file_order(logits), "loss_total": loss}
    return Computed(outputs, head, tuple_gradients(head, golden, lambda name: our_name(name, cardinalities)))


def episode(golden: Golden, head: Head) -> TrainingEpisode:
    """Return the episode of a file without text and without numbers of its classes."""
    way = golden.number("way")
    shot = len(golden.tensors["in_support_labels"]) // way
    return TrainingEpisode(
        way, shot, head.store({head.needs.kind: golden.videos()}), torch.arange(way), torch.empty(way, 0)
    )


def tuple_width(golden: Golden) -> int:
    return len(golden.tensors["param_transformers.0.k_linear.weight"])


def our_name(name: str, cardinalities: list[int]) -> str:
    """Return our name of a public parameter of the tuples' attention; other names as they are."""
    found = re.fullmatch(r"transformers\.(\d+)\.(\w+)\.(\w+)", name)
    if not found:
        return name
    number, layer, kind = found.groups()
    return f"matching.relations.{cardinalities[int(number)]}.{OUR_LAYERS.get(layer, layer)}.{kind}"


def without_effect(golden: Golden) -> list[str]:
    """Return the parameters that we have not: a norm that is never used, and a bias that cancels."""
    return [name for name in golden.named("param_") if ".norm_v." in name or name.endswith("v_linear.bias")]


def tuple_gradients(head: nn.Module, golden: Golden, ours) -> dict[str, Tensor | None]:
    """Return the gradients by the file's names; that of the bias which cancels is zero."""
    left_out = set(without_effect(golden))
    parameters = dict(head.named_parameters())
    found: dict[str, Tensor | None] = {}
    for name, expected in golden.named("grad_").items():
        if name in golden.tensors:
            found[f"grad_{name}"] = golden.tensors[name].grad
        else:
            found[f"grad_{name}"] = torch.zeros_like(expected) if name in left_out else parameters[ours(name)].grad
    return found
