"""Parameter names of the public CLIP-FSAR implementation, so that its heads load into ours."""

import re

from torch import Tensor

# context2.layers.{layer}.{0: attention, 1: feed-forward}.…, ours on the right
_NAMES = {
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


def our_name(reference_name: str) -> str:
    """Translate one parameter name of the head, e.g. `context2.layers.0.0.fn.to_q.weight`.

    Raises:
        KeyError: the name is not one of the head's.
    """
    if reference_name == "scale":
        return "scale"
    match = re.fullmatch(r"context2\.layers\.(\d+)\.(.+)", reference_name)
    if match is None or match[2] not in _NAMES:
        raise KeyError(f"{reference_name!r} is not a parameter of the reference's head")
    return f"temporal_transformer.layers.{match[1]}.{_NAMES[match[2]]}"


def head_from_reference(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename a state dict of the reference's head to ours; shapes are the same."""
    return {our_name(name): value for name, value in parameters.items()}
