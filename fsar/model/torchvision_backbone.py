"""Backbones of torchvision: R(2+1)D, an encoder of video of convolutions."""

from importlib import import_module
from typing import Any

from torch import Tensor

from fsar.backbone_facts import is_weights_file
from fsar.errors import UserError
from fsar.model.backbone import Backbone, VisualEncoder
from fsar.model.r2plus1d import R2Plus1dEncoder, network
from fsar.model.video_backbone import VideoBackbone, check_size, width_of_features
from fsar.model.weights_file import read_weights
from fsar.model.weights_names import misfit, without_prefixes, without_wrappers
from fsar.video_encoders import described, read_description


def load(model: str, weights: str, size: int, trained: bool = False) -> Backbone:
    """Load R(2+1)D with every weight but its classifier's.

    Args:
        model: a name, such as `r2plus1d_18`, or the JSON file that describes it.
        weights: a tag of torchvision, downloaded on first use, or a local file. Nothing in either is executed.
        size: 0: pictures have the size that its description names.
        trained: makes no difference here.

    Raises:
        UserError: see `fsar.model.backbone.load_backbone`.
    """
    backbone = _built(model, weights, size)
    state = read_weights(weights) if is_weights_file(weights) else _downloaded(model, weights)
    state = without_prefixes(without_wrappers(state))
    visual = backbone.clip_encoder
    kept = {name: value for name, value in state.items() if not name.startswith(visual.beside)}
    try:
        visual.model.load_state_dict(kept)
    except RuntimeError as error:
        raise misfit(weights, model, error, state) from error
    return backbone


def bare(model: str, weights: str, size: int) -> Backbone:
    """Build R(2+1)D without its weights; see `fsar.model.backbone.bare_backbone`."""
    return _built(model, weights, size)


def _built(model: str, weights: str, size: int) -> VideoBackbone:
    about = described(model, weights)
    check_size(about, model, size)
    visual = R2Plus1dEncoder(network(read_description(model, weights)), about)
    return VideoBackbone(
        VisualEncoder(visual), about, width_of_features(visual, about), None, f"{about.title} ({model})"
    )


def _downloaded(model: str, tag: str) -> dict[str, Tensor]:
    """Return torchvision's own weights, whose file is checked by the SHA-256 in its name.

    Raises:
        UserError: there is no network.
    """
    library: Any = import_module("torchvision.models")
    weights = library.get_model_weights(model)[tag]
    try:
        found: dict[str, Tensor] = weights.get_state_dict(check_hash=True, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"The weights {tag} of {model} could not be downloaded: {error}\n"
            f"Without a network, put them on this machine once: download {weights.url} where there is one, copy the "
            "file, and name it in backbones.….weights."
        ) from error
    return found
