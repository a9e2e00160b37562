"""Backbones of open_clip: CLIP and its successors, with their text encoders."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fsar.backbone_facts import OWN_ARCHITECTURES, TEXT_EXTRA, is_weights_file, open_clip_architecture, square
from fsar.clip_library import (
    convert_state_dict,
    convert_to_custom_text_state_dict,
    get_pretrained_cfg,
    open_clip,
    resize_pos_embed,
    resize_text_pos_embed,
    with_transformers,
)
from fsar.errors import UserError
from fsar.model.backbone import Backbone, Tokenizer, VisualEncoder
from fsar.model.weights_file import read_weights
from fsar.model.weights_names import find_part, misfit, without_others, without_prefixes, without_wrappers

log = logging.getLogger(__name__)

open_clip.add_model_config(OWN_ARCHITECTURES)

# Entries of a state dict of OpenAI's own CLIP models that are sizes and not weights.
OPENAI_SIZES = {"input_resolution", "context_length", "vocab_size"}
# Names, or their ends, that only text encoders have.
OF_TEXTS = ("token_embedding.weight", "word_embeddings.weight", "text_projection", "text_projection.weight")


def load(model: str, weights: str, size: int, trained: bool = False) -> Backbone:
    """Load a model of open_clip.

    Args:
        model: an architecture of open_clip, or a JSON file that describes one.
        weights: a pretrained tag of open_clip, or a local weights file.
        size: side of its pictures, where it is not the architecture's own; 0 for that.
        trained: see `fsar.model.backbone.load_backbone`.

    Raises:
        UserError: see `fsar.model.backbone.load_backbone`.
    """
    name = architecture_name(model)
    if is_weights_file(weights):
        return _from_file(name, model, weights, size, trained)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if weights not in tags:
        raise UserError(
            f"open_clip has no weights {weights!r} for {name}; it has: {', '.join(tags) or 'none'} "
            "(key backbones.….weights, which also takes a local file)"
        )
    if better := quickgelu_name(name, weights):
        _plain_gelu(f"The weights {weights!r}", name, f"backbones.….model is {better}", trained)
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
    if "hf_model_name" in open_clip_architecture(model)["text_cfg"]:
        with_transformers()
    if not model.endswith(".json"):
        return model
    open_clip.add_model_config(Path(model))
    return Path(model).stem


def random_clip(name: str, size: int = 0, normalised: dict[str, Sequence[float]] | None = None) -> Any:
    """Build an architecture of open_clip with random weights, its text encoder's too; see `normalisation`."""
    with _weights_come_later():
        return open_clip.create_model(
            name,
            load_weights=False,
            pretrained_text=False,
            force_image_size=size or None,
            force_preprocess_cfg=normalised,
        )


@contextmanager
def _weights_come_later() -> Iterator[None]:
    """Keep open_clip's warning that a model has no weights yet from people who have named some."""
    root = logging.getLogger()  # where open_clip writes

    def wanted(record: logging.LogRecord) -> bool:
        return "No pretrained weights loaded" not in record.msg

    root.addFilter(wanted)
    try:
        yield
    finally:
        root.removeFilter(wanted)


def random_backbone(name: str, size: int = 0) -> Backbone:
    """Build a backbone of open_clip with random weights, for measurements and tests."""
    return open_clip_backbone(random_clip(name, size), name)


def bare(model: str, weights: str, size: int) -> Backbone:
    """Build a model of open_clip without its weights; see `fsar.model.backbone.bare_backbone`."""
    name = architecture_name(model)
    if not is_weights_file(weights) and (better := quickgelu_name(name, weights)):
        _plain_gelu(f"The weights {weights!r}", name, f"backbones.….model is {better}", trained=True)
    about = {} if is_weights_file(weights) else get_pretrained_cfg(name, weights) or {}
    normalised = {key: about[key] for key in ("mean", "std")} if about else normalisation(name)
    try:
        return open_clip_backbone(random_clip(name, size, normalised), name)
    except OSError as error:  # Hugging Face's description of a text encoder
        raise UserError(f"The architecture {model} cannot be built: {error}") from error
    except Exception as error:  # open_clip raises assertions and run-time errors
        raise _not_built(model, size, error) or error from error


def quickgelu_name(name: str, tag: str) -> str:
    """Return the architecture that the weights of a tag belong to, where open_clip lists them for another one, too.

    Many weights were trained with QuickGELU, and with plain GELU give other features. Empty if there is no better one.
    """
    better = f"{name}-quickgelu"
    about = get_pretrained_cfg(name, tag) or {}
    mistaken = about.get("quick_gelu", False) and not open_clip.get_model_config(name).get("quick_gelu", False)
    return better if mistaken and tag in open_clip.list_pretrained_tags_by_model(better) else ""


def _plain_gelu(weights: str, name: str, remedy: str, trained: bool) -> None:
    """Refuse weights of QuickGELU in an architecture with plain GELU; only tell it of a model that was trained so."""
    told = (
        f"{weights} were trained with QuickGELU, and the architecture {name} has plain GELU, which gives other "
        f"features: see that {remedy}"
    )
    if not trained:
        raise UserError(told)
    log.warning("%s. This model was trained with plain GELU, and goes on with it", told)


def _from_file(name: str, model: str, weights: str, size: int, trained: bool) -> Backbone:
    """Load a local file: a whole CLIP, by the names of open_clip or OpenAI, or a visual encoder alone."""
    state = without_wrappers(read_weights(weights))
    of_openai = not OPENAI_SIZES.isdisjoint(key.rpartition(".")[2] for key in state)
    described = open_clip.get_model_config(name)
    if of_openai and not described.get("quick_gelu", False):
        own = f"{name}-quickgelu"
        listed = own in open_clip.list_models()
        better = f"backbones.….model is {own}" if listed else f'"quick_gelu" is true in {model}'
        _plain_gelu(f"The weights {weights} are OpenAI's: they", name, better, trained)
    of_timm = "timm_model_name" in described["vision_cfg"]
    try:
        clip = random_clip(name, 0 if of_timm else size, None if of_openai else normalisation(name))
        whole = _fill(clip, state, weights)
        if size and of_timm:
            clip.visual.set_input_size(size)
    except OSError as error:  # Hugging Face's description of a text encoder is downloaded, whatever the weights
        raise UserError(f"The architecture {model} cannot be built: {error}") from error
    except UserError:
        raise
    except Exception as error:  # open_clip raises assertions and run-time errors
        raise _not_built(model, size, error) or misfit(weights, model, error, state) from error
    return open_clip_backbone(clip, name, has_text=whole)


def _fill(clip: Any, state: dict[str, Tensor], weights: str) -> bool:
    """Load a state into a model, and tell whether it had a text encoder.

    Raises:
        RuntimeError: it is of another architecture.
    """
    own = clip.state_dict()
    if (found := _whole(clip, state, weights)) is not None:
        found = without_others(found, own, weights)
        if "logit_scale" in found:  # one number, or a vector of one
            found["logit_scale"] = found["logit_scale"].reshape(clip.logit_scale.shape)
        if "logit_bias" in own:
            found["logit_bias"] = found.get("logit_bias", own["logit_bias"] * 0).reshape(clip.logit_bias.shape)
        resize_pos_embed(found, clip)
        resize_text_pos_embed(found, clip)
        clip.load_state_dict(found)
        return True
    visual = clip.visual.state_dict()
    alone = find_part(state, visual, weights)
    if alone is None or any(name.endswith(OF_TEXTS) for name in state):
        clip.load_state_dict(without_prefixes(state))  # which says what is missing
        return True
    found = {f"visual.{name}": value for name, value in without_others(alone, visual, weights).items()}
    resize_pos_embed(found, clip)
    clip.visual.load_state_dict({name.removeprefix("visual."): value for name, value in found.items()})
    log.info("%s holds a visual encoder alone: the backbone has no text encoder", weights)
    return False


def _whole(clip: Any, state: dict[str, Tensor], weights: str) -> dict[str, Tensor] | None:
    """Return the weights of a whole CLIP by open_clip's names, if a file has them."""
    wanted = set(clip.state_dict()) - {"logit_bias"}
    if (found := find_part(state, wanted, weights)) is not None:
        return found
    # As they were named before text encoders became a part of their own.
    older = {name.removeprefix("text.") for name in wanted}
    if (found := find_part(state, older, weights)) is not None:
        return dict(convert_to_custom_text_state_dict(found))
    stripped = without_prefixes(state)
    converted: dict[str, Tensor] = convert_state_dict(clip, stripped)  # Apple's names
    return None if converted is stripped else converted


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


def open_clip_backbone(clip: nn.Module, name: str, has_text: bool = True) -> Backbone:
    """Make a backbone of a model that open_clip has built.

    Args:
        clip: the model.
        name: of its architecture.
        has_text: its text encoder has its weights, too.
    """
    if hasattr(clip, "text_decoder"):
        del clip.text_decoder  # CoCa's, which writes captions
    visual: Any = clip.visual
    return Backbone(
        clip if has_text else VisualEncoder(visual),
        open_clip.get_model_config(name)["embed_dim"],
        square(visual.image_size, name),
        visual.image_mean,
        visual.image_std,
        partial(_tokenizer, name) if has_text else None,
        name,
    )


def _tokenizer(name: str) -> Tokenizer:
    try:
        return open_clip.get_tokenizer(name)
    except ImportError as error:
        raise UserError(f"The text encoder of {name} needs a package that is not installed: {TEXT_EXTRA}") from error
    except Exception as error:  # the hub client's own
        raise UserError(
            f"The tokenizer of {name} could not be downloaded: {error}\n"
            "Without a network, put it on this machine once: from one that has a network, run\n"
            f'python -c "import open_clip; open_clip.get_tokenizer({name!r})"\n'
            "and copy its cache."
        ) from error
