"""Loads a backbone with and without drawing weights first, and compares everything in it."""

import torch

from fsar.config import BackboneConfig
from fsar.model.backbone import load_backbone
from fsar.model.undrawn import Undrawn


def tensors(model):
    """Return all parameters and buffers of a model by name, those of no file included, and tensors kept beside them."""
    beside = {
        f"{place}:{name}": value
        for place, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, torch.Tensor)
    }
    return dict(model.named_parameters()) | dict(model.named_buffers()) | beside


def assert_same_undrawn(about: BackboneConfig) -> None:
    """Assert that a backbone is the same to the last bit whether its weights were drawn before, or not."""
    drawn = load_backbone(about)  # kept, so that what is not loaded later is not found in its memory
    with Undrawn():
        undrawn = load_backbone(about)
    expected, found = tensors(drawn), tensors(undrawn)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert value.dtype == found[name].dtype and torch.equal(value, found[name]), name
