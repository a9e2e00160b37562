"""Backbones of open_clip: CLIP and its successors, with their text encoders."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import get_pretrained_cfg
from torch import Tensor, nn

from fsar.config import is_weights_file
from fsar.errors import UserError
from fsar.model.backbone import Backbone, Tokenizer
from fsar.model.backbone_facts import OWN_ARCHITECTURES, TEXT_EXTRA, open_clip_architecture, square
from fsar.model.weights_file import misfit, read_weights

log = logging.getLogger(__name__)

open_clip.add_model_config(OWN_ARCHITECTURES)

# Entries of a state dict of OpenAI's own CLIP models that are sizes and not weights.
OPENAI_SIZES = {"input_resolution", "context_length", "vocab_size"}


def load(model: str, weights: str, size: int) -> Backbone:
    """Load a model of open_clip.

    Args:
        model: an architecture of open_clip, or a JSON file that describes one.
        weights: a pretrained tag of open_clip, or a local weights file.
        size: side of its pictures, where it is not the architecture's own; 0 for that.

    Raises:
        UserError: see `fsar.model.backbone.load_backbone`.
    """
    name = architecture_name(model)
    if is_weights_file(weights):
        return open_clip_backbone(_from_file(name, model, weights, size), name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if weights not in tags:
        raise UserError(
            f"open_clip has no weights {weights!r} for {name}; it has: {', '.join(tags) or 'none'} "
            "(key backbones.….weights, which also takes a local file)"
        )
    try:
        clip = open_clip.create_model(name, pretrained=weights, force_image_size=size or None)
    except Exception as error:  # open_clip raises assertions, run-time errors and the hub client's own
        raise _not_built(model, size, error) or UserError(
            f"The weights {weights!r} of {name} could not be downloaded: {error}\n"
            "Without a network, put them on this machine once: from one that has a network, run\n"
            f'python -c "import open_clip; open_clip.create_model({name!r}, pretrained={weights!r})"\n'
            "and copy its cache, or save a .safetensors file and name it in backbones.….weights."
        ) from error
    return open_clip_backbone(clip, name)


def architecture_name(model: str) -> str:
    """Return open_clip's name of an architecture, after telling it of the JSON file if `model` is one.

    Raises:
        UserError: no such file, not an architecture, or no such name.
    """
    open_clip_architecture(model)
    if not model.endswith(".json"):
        return model
    open_clip.add_model_config(Path(model))
    return Path(model).stem


def random_clip(name: str, size: int = 0, normalised: dict[str, Sequence[float]] | None = None) -> Any:
    """Build an architecture of open_clip with random weights, its text encoder's too; see `normalisation`."""
    return open_clip.create_model(
        name,
        load_weights=False,
        pretrained_text=False,
        force_image_size=size or None,
        force_preprocess_cfg=normalised,
    )


def random_backbone(name: str, size: int = 0) -> Backbone:
    """Build a backbone of open_clip with random weights, for measurements and tests."""
    return open_clip_backbone(random_clip(name, size), name)


def bare(model: str, weights: str, size: int) -> Backbone:
    """Build a model of open_clip without its weights; see `fsar.model.backbone.bare_backbone`."""
    name = architecture_name(model)
    about = {} if is_weights_file(weights) else get_pretrained_cfg(name, weights) or {}
    normalised = {key: about[key] for key in ("mean", "std")} if about else normalisation(name)
    try:
        return open_clip_backbone(random_clip(name, size, normalised), name)
    except OSError as error:  # Hugging Face's description of a text encoder
        raise UserError(f"The architecture {model} cannot be built: {error}") from error
    except Exception as error:  # open_clip raises assertions and run-time errors
        raise _not_built(model, size, error) or error from error


def _from_file(name: str, model: str, weights: str, size: int) -> nn.Module:
    state = read_weights(weights)
    try:
        if OPENAI_SIZES & set(state):
            clip = random_clip(name, size)
            clip.load_state_dict({key: value for key, value in state.items() if key not in OPENAI_SIZES})
            return clip
        del state  # open_clip reads it again, since it knows the names that other programs give
        normalised = normalisation(name)
        return open_clip.create_model(
            name, pretrained=weights, force_image_size=size or None, force_preprocess_cfg=normalised
        )
    except OSError as error:  # Hugging Face's description of a text encoder is downloaded, whatever the weights
        raise UserError(f"The architecture {model} cannot be built: {error}") from error
    except Exception as error:  # open_clip raises assertions and run-time errors
        raise _not_built(model, size, error) or misfit(weights, model, error) from error


def _not_built(model: str, size: int, error: Exception) -> UserError | None:
    """Say what is wrong if it is not the weights."""
    if "pip install transformers" in str(error):
        return UserError(f"The text encoder of {model} needs a package that is not installed: {TEXT_EXTRA}")
    if size and "size mismatch" in str(error):
        return UserError(f"{model} cannot be given pictures of {size} pixels: leave backbones.….size out")
    return None


def normalisation(name: str) -> dict[str, Sequence[float]] | None:
    """Return mean and std of an architecture's pictures: those of its pretrained tags, where these agree.

    A local file does not say; None is open_clip's default, OpenAI's.
    """
    tags = [get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)]
    known = {(tuple(about["mean"]), tuple(about["std"])) for about in tags}
    if len(known) > 1:
        log.warning("weights of %s are published with several means of pictures; OpenAI's are taken", name)
    return dict(zip(("mean", "std"), known.pop(), strict=True)) if len(known) == 1 else None


def open_clip_backbone(clip: nn.Module, name: str) -> Backbone:
    """Make a backbone of a model that open_clip has built.

    Args:
        clip: the model.
        name: of its architecture.
    """
    if hasattr(clip, "text_decoder"):
        del clip.text_decoder  # CoCa's, which writes captions
    visual: Any = clip.visual
    return Backbone(
        clip,
        open_clip.get_model_config(name)["embed_dim"],
        square(visual.image_size, name),
        visual.image_mean,
        visual.image_std,
        partial(_tokenizer, name),
        name,
    )


def _tokenizer(name: str) -> Tokenizer:
    try:
        tokenizer = open_clip.get_tokenizer(name)
    except ImportError as error:
        raise UserError(f"The text encoder of {name} needs a package that is not installed: {TEXT_EXTRA}") from error
    except Exception as error:  # the hub client's own
        raise UserError(
            f"The tokenizer of {name} could not be downloaded: {error}\n"
            "Without a network, put it on this machine once: from one that has a network, run\n"
            f'python -c "import open_clip; open_clip.get_tokenizer({name!r})"\n'
            "and copy its cache."
        ) from error

    def tokens(texts: list[str]) -> Tensor:
        return tokenizer(texts)

    return tokens
