"""Backbones of timm: visual encoders without text, such as ImageNet's ResNet-50 or DINOv2."""

from typing import Any

import torch
from torch import Tensor, nn

from fsar.backbone_facts import is_weights_file, square, timm_weights
from fsar.clip_library import timm
from fsar.errors import UserError
from fsar.model.backbone import Backbone, VisualEncoder
from fsar.model.evaluating import evaluating
from fsar.model.lite_names import timm_name
from fsar.model.weights_file import read_weights
from fsar.model.weights_names import find_part, misfit, without_others, without_prefixes, without_wrappers
from fsar.packaged_weights import PACKAGED, packaged_file


def load(model: str, weights: str, size: int, trained: bool = False) -> Backbone:
    """Load a model of timm without its classifier; frame features are what the classifier would get.

    Args:
        model: an architecture of timm.
        weights: a tag of timm, a local weights file, or a package that carries them (`fsar.packaged_weights`).
        size: side of its pictures, where it is not that of the weights; 0 for that. Position embeddings are resampled.
        trained: makes no difference here.

    Raises:
        UserError: see `fsar.model.backbone.load_backbone`; or it gives no feature per picture.
    """
    name, about = timm_weights(model, weights)
    if weights in PACKAGED:
        visual = _from_package(name, weights)
    else:
        visual = _from_file(name, about, weights) if is_weights_file(weights) else _downloaded(name)
    return timm_backbone(visual, name, size)


def bare(model: str, weights: str, size: int) -> Backbone:
    """Build a model of timm without its weights; see `fsar.model.backbone.bare_backbone`."""
    name, _ = timm_weights(model, weights)
    return timm_backbone(timm.create_model(name, pretrained=False), name, size)


def timm_backbone(visual: nn.Module, name: str, size: int = 0) -> Backbone:
    """Make a backbone of a model that timm has built; arguments as those of `load`."""
    model: Any = visual
    model.reset_classifier(0)
    about = model.pretrained_cfg
    own = square(about["input_size"][1:], name)
    if size and size != own:
        if hasattr(model, "set_input_size"):
            model.set_input_size((size, size))
        elif about["fixed_input_size"]:
            raise UserError(f"{name} takes pictures of {own} pixels and no others: leave backbones.….size out")
    size = size or own
    return Backbone(VisualEncoder(visual), _width(visual, name, size), size, about["mean"], about["std"], None, name)


@torch.no_grad()
def _width(visual: nn.Module, name: str, size: int) -> int:
    """Return D: what a picture gives."""
    with evaluating(visual):
        features = visual(torch.zeros(1, 3, size, size))
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        raise UserError(f"{name} does not give one feature per picture, so it cannot be a backbone")
    return features.shape[1]


def _downloaded(name: str) -> nn.Module:
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:  # run-time errors and the hub client's own
        raise UserError(
            f"The weights of {name} could not be downloaded: {error}\n"
            "Without a network, put them on this machine once: from one that has a network, run\n"
            f'python -c "import timm; timm.create_model({name!r}, pretrained=True)"\n'
            "and copy its cache, or save a .safetensors file and name it in backbones.….weights."
        ) from error


def _from_package(name: str, package: str) -> nn.Module:
    model = timm.create_model(name, pretrained=False)
    state = read_weights(str(packaged_file(package)))
    model.load_state_dict({timm_name(each): value for each, value in state.items()})
    return model


def _from_file(name: str, about: Any, weights: str) -> nn.Module:
    """Load a local file the way timm loads its own, names of other programs included, but with every weight.

    What does not load so may be a part of something larger, such as the visual encoder of a CLIP.
    """
    state = without_wrappers(read_weights(weights))
    classifiers = [about.classifier] if isinstance(about.classifier, str) else list(about.classifier or ())
    try:
        return _loaded(name, classifiers, without_prefixes(state))
    except Exception as error:  # run-time errors, and others of what renames weights
        own = timm.create_model(name, pretrained=False).state_dict()
        encoder = [each for each in own if not each.startswith(tuple(f"{place}." for place in classifiers))]
        part = find_part(state, encoder, weights)
        if part is None:
            raise misfit(weights, name, error, state) from error
    try:
        return _loaded(name, classifiers, without_others(part, own, weights))
    except Exception as error:
        raise misfit(weights, name, error, state) from error


def _loaded(name: str, classifiers: list[str], state: dict[str, Tensor]) -> nn.Module:
    # timm is not strict where the classifier has another number of classes; so it is told the file's.
    rows = [len(state[f"{name}.weight"]) for name in classifiers if f"{name}.weight" in state]
    overlay = {"state_dict": state, "num_classes": rows[0] if rows else 0, "label_offset": 0}
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
