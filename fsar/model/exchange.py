"""Trained models in the parameter names of the public CLIP-FSAR implementation, and back.

    fsar exchange from-reference their.pth ours.safetensors
    fsar exchange to-reference ours.safetensors their.safetensors

Theirs may be a bare state dict or a whole checkpoint, with or without the visual encoder. Nothing read is executed.
"""

import re
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from fsar.errors import UserError
from fsar.files import atomic
from fsar.model.trained_file import save_weights
from fsar.model.weights_file import read_weights

# context2.layers.{layer}.{0: attention, 1: feed-forward}.…, ours on the right
_LAYER = {
    "0.norm.weight": "norm.weight",
    "0.norm.bias": "norm.bias",
    "0.fn.to_q.weight": "query.weight",
    "0.fn.to_k.weight": "key.weight",
    "0.fn.to_v.weight": "value.weight",
    "0.fn.to_out.0.weight": "output.weight",
    "0.fn.to_out.0.bias": "output.bias",
    "1.net.0.weight": "expand.weight",
    "1.net.0.bias": "expand.bias",
    "1.net.3.weight": "contract.weight",
    "1.net.3.bias": "contract.bias",
}
_THEIR_LAYER = {ours: theirs for theirs, ours in _LAYER.items()}


def our_name(name: str) -> str:
    """Translate the reference's name of a parameter, such as `context2.layers.0.0.fn.to_q.weight`.

    Raises:
        UserError: it is none of the reference's.
    """
    name = re.sub(r"^(module\.)?(head\.)?", "", name)  # wrappers of their training
    if name.startswith("backbone."):
        return "visual." + name.removeprefix("backbone.")
    if name == "scale":
        return "head.scale"
    match = re.fullmatch(r"context2\.layers\.(\d+)\.(.+)", name)
    if match is None or match[2] not in _LAYER:
        raise UserError(f"{name!r} is not a parameter of the public CLIP-FSAR implementation")
    return f"head.temporal_transformer.layers.{match[1]}.{_LAYER[match[2]]}"


def reference_name(name: str) -> str:
    """Translate our name of a parameter to the reference's.

    Raises:
        UserError: the reference has no such parameter, as for the metric TRX.
    """
    if name.startswith("visual."):
        return "backbone." + name.removeprefix("visual.")
    if name == "head.scale":
        return "scale"
    match = re.fullmatch(r"head\.temporal_transformer\.layers\.(\d+)\.(.+)", name)
    if match is None or match[2] not in _THEIR_LAYER:
        raise UserError(f"{name!r} has no counterpart in the public CLIP-FSAR implementation")
    return f"context2.layers.{match[1]}.{_THEIR_LAYER[match[2]]}"


def from_reference(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a state dict of the reference to ours (see `FewShotModel.trained_state`); shapes are the same."""
    return {our_name(name): value for name, value in state.items()}


def to_reference(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a trained state of ours to the reference's."""
    return {reference_name(name): value for name, value in state.items()}


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict, which may be the entry `model_state` of a checkpoint; raises UserError as `read_weights`."""
    return read_weights(str(path), "the source")


def exchange(direction: Literal["from-reference", "to-reference"], source: Path, target: Path) -> int:
    """Write a model with its parameters renamed.

    Args:
        direction: from the names of the public implementation to ours, or back.
        source: .safetensors, .pt or .pth.
        target: .safetensors; to-reference also writes .pt and .pth.

    Returns:
        The number of parameters.

    Raises:
        UserError: the source cannot be read, has other parameters, or the target ends otherwise.
    """
    state = read_state(source)
    renamed = from_reference(state) if direction == "from-reference" else to_reference(state)
    if target.suffix == ".safetensors":
        save_weights(renamed, target)
    elif direction == "to-reference" and target.suffix in (".pt", ".pth"):
        with atomic(target) as temporary:
            torch.save({"model_state": renamed}, temporary)
    else:
        raise UserError(f"{target} must end in .safetensors")
    return len(renamed)
