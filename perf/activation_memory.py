"""What the backbone keeps for the backward pass of one training episode, with and without computing it again.

Counted, not measured: what autograd saves of a forward pass on fake tensors, which have shapes and no contents.
"""

import argparse
from collections.abc import Sequence

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from fsar.model.open_clip_backbone import random_backbone
from perf.command import reader

VIDEOS, FRAMES = 30, 8  # 5 ways, 1 shot, 5 queries per class


def saved_bytes(model: str, again: bool, precision: torch.dtype | None) -> int:
    """Return the bytes saved for the backward pass; parameters are not counted."""
    backbone = random_backbone(model).train()
    if again:
        backbone.checkpoint_activations()
    parameters = {parameter.untyped_storage()._cdata for parameter in backbone.parameters()}
    saved = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage  # held, so that no other takes its place
        return tensor

    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        torch.autocast("cpu", dtype=precision, enabled=precision is not None),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        size = backbone.image_size
        backbone(torch.zeros(VIDEOS, FRAMES, size, size, 3, dtype=torch.uint8))
    return sum(storage.nbytes() for number, storage in saved.items() if number not in parameters)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("activation_memory", __doc__)
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser().parse_args(arguments)
    print("| backbone | fp32 | 16 bits | fp32, computed again | 16 bits, computed again |")
    print("|---|---|---|---|---|")
    for name, model in (("RN50", "RN50-quickgelu"), ("ViT-B/16", "ViT-B-16-quickgelu")):
        cells = [
            f"{saved_bytes(model, again, precision) / 1e9:.1f} GB"
            for again in (False, True)
            for precision in (None, torch.bfloat16)
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
