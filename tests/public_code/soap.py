"""SOAP: wenbohuang1002/SOAP. Its layers that are drawn at every forward are in the file; its backbone is one layer."""

import torch
from torch import Tensor, nn

from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs
from fsar.methods.soap.adapter import WINDOWS, Gains, RandomLayers
from fsar.methods.trx.head import Trx
from fsar.methods.trx.record import TrxConfig
from tests.public_code import trx
from tests.public_code.golden import Computed, Golden, without_dropout

NAMES = {
    "tripel_prior.conv_st": "gains.place",
    "tripel_prior.conv_ch1": "gains.expand",
    "tripel_prior.conv_ch2": "gains.contract",
}


def our_name(name: str) -> str:
    for theirs, ours in NAMES.items():
        name = name.replace(theirs, ours)
    return f"head.{trx.our_name(name, [1])}" if name.startswith("transformers.") else name


def run(golden: Golden, stem: str) -> Computed:
    centre_tap(golden)
    frames, way = golden.number("frames"), golden.number("way")
    width, colours, patch, _ = golden.tensors["param_backbone.0.weight"].shape
    encoder = nn.Sequential(nn.Conv2d(colours, width, patch, stride=patch), nn.ReLU())
    head = Trx(Inputs(width, frames), TrxConfig(cardinalities=[1], tuple_width=trx.tuple_width(golden)))
    model = nn.ModuleDict({"gains": Gains(frames, misread=True), "backbone": encoder, "head": head})
    left_out = trx.without_effect(golden)
    model.load_state_dict({our_name(n): w for n, w in golden.named("param_").items() if n not in left_out})
    without_dropout(model).train(not golden.evaluating)
    head.loss_over_queries = "sum"

    videos = golden.videos()  # (V, T, 3, H, W)
    supports = len(golden.tensors["in_support_labels"])
    parts = (("support", videos[:supports]), ("target", videos[supports:]))
    gained = [model["gains"](part.flatten(0, 1), drawn(golden, kind, frames)) for kind, part in parts]
    stored = {"frames": encoder(torch.cat(gained)).mean(dim=(2, 3)).unflatten(0, (-1, frames))}
    episode = TrainingEpisode(way, supports // way, stored, torch.arange(way), torch.empty(way, 0))
    logits, losses = golden.decided(head, episode)
    loss = losses["few_shot"] / golden.value("loss_divisor", 1.0)
    golden.backward(loss)
    in_order = golden.to_file_order(torch.cat(gained).unflatten(0, (-1, frames)))
    outputs = {
        "out_logits": golden.in_file_order(logits),
        "out_support_images": in_order[:supports].flatten(0, 1),
        "out_target_images": in_order[supports:].flatten(0, 1),
        "loss_total": loss,
    }
    return Computed(outputs, model, trx.tuple_gradients(model, golden, our_name) | centre_gradient(model, golden))


def centre_tap(golden: Golden) -> None:
    """Keep of the last convolution of the channels' gain its centre: it sees one place, and ours is a linear layer."""
    weight = golden.tensors["param_tripel_prior.conv_ch2.weight"]
    golden.tensors["param_tripel_prior.conv_ch2.weight"] = weight[:, :, 1, 1]


def centre_gradient(model: nn.Module, golden: Golden) -> dict[str, Tensor | None]:
    """Return the gradient of that convolution, which is zero around its centre."""
    name = "grad_tripel_prior.conv_ch2.weight"
    if name not in golden.tensors:
        return {}
    ours = model["gains"].contract.weight.grad
    golden.tensors[name], around = golden.tensors[name][:, :, 1, 1], golden.tensors[name].clone()
    around[:, :, 1, 1] = 0
    assert not around.any()
    return {name: ours}


def drawn(golden: Golden, kind: str, frames: int) -> RandomLayers:
    """Return the layers that were drawn for support or queries."""
    layers = RandomLayers(frames).requires_grad_(False)
    given = golden.named(f"in_random_{kind}_")
    state = {name.replace("channel.", "time."): weight for name, weight in given.items() if name.startswith("channel")}
    for place, size in enumerate(WINDOWS):
        for part in ("weight", "bias"):
            state[f"next.{place}.{part}"] = given[f"frames{size}.{part}"]
            back = given[f"back{size}.{part}"]
            state[f"back.{place}.{part}"] = back.flatten(1) if part == "weight" else back
    layers.load_state_dict(state)
    return layers
