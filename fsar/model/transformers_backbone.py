"""Backbones of Hugging Face's transformers: encoders of video, such as VideoMAE, V-JEPA 2 or X-CLIP."""

import logging
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fsar.backbone_facts import VIDEO_EXTRA, is_weights_file
from fsar.clip_library import open_clip
from fsar.errors import UserError
from fsar.lists import some_of
from fsar.model.backbone import Backbone, Tokenizer, VisualEncoder
from fsar.model.clip_encoders import ENCODERS, TOWERS, ClipEncoder
from fsar.model.hub_text import HubTokenizer
from fsar.model.video_backbone import VideoBackbone, check_size, width_of_features
from fsar.model.weights_file import read_weights
from fsar.model.weights_names import without_wrappers
from fsar.video_encoders import WEIGHTS, VideoEncoder, described, fetched, read_description

log = logging.getLogger(__name__)

# The library's classes without a classifier, by family, and how they are built.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "videomae": ("VideoMAEModel", {}),
    "xclip": ("XCLIPModel", {}),
    "timesformer": ("TimesformerModel", {}),
    "vivit": ("VivitModel", {"add_pooling_layer": False}),
    "vjepa2": ("VJEPA2Model", {}),
    "videoprism_vision_model": ("VideoPrismVisionModel", {}),
    "pe_video": ("PeVideoModel", {}),
}


def load(model: str, weights: str, size: int, trained: bool = False) -> Backbone:
    """Load an encoder of video; every weight of a checkpoint is used, or is known not to be needed, or it is refused.

    Args:
        model: a name of the hub, or the JSON file that describes it.
        weights: the commit of the hub whose `model.safetensors` is meant, or a local file.
        size: 0: these encoders take pictures of the size that they were trained with.
        trained: makes no difference here.

    Raises:
        UserError: see `fsar.model.backbone.load_backbone`.
    """
    about = described(model, weights)
    check_size(about, model, size)
    path = weights if is_weights_file(weights) else fetched(model, weights, WEIGHTS)
    state = without_wrappers(read_weights(path))
    _, kind, config, options = _library(model, weights, about)
    kept = _without_norm(state) if about.family == "videomae" else state
    try:
        built, info = kind.from_pretrained(
            None, config=config, state_dict=kept, dtype=torch.float32, output_loading_info=True, **options
        )
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"The weights {path} do not fit the architecture {model}: {first}") from error
    encoder = ENCODERS[about.family]
    unknown = {name for name in info["unexpected_keys"] if not _beside(name, encoder)}
    missing = {name for name in info["missing_keys"] if not _beside(name, encoder)}
    if unknown or missing or info["mismatched_keys"]:
        raise UserError(_misfit(path, model, missing, unknown, info["mismatched_keys"]))
    left = sorted(set(info["unexpected_keys"]))
    visual = encoder(built, about)
    _load_norm(visual, state, path)
    if left:
        log.info("%s: left out %s, which features do not come from", path, some_of(left))
    # A checkpoint that holds no text is of the vision model alone, and is refused above: X-CLIP's are whole.
    return _backbone(visual, built, about, model, weights)


def bare(model: str, weights: str, size: int) -> Backbone:
    """Build an encoder of video without its weights; see `fsar.model.backbone.bare_backbone`."""
    check_size(described(model, weights), model, size)
    return built(model, weights)[1]


def built(model: str, weights: str = "") -> tuple[nn.Module, VideoBackbone]:
    """Build an encoder of video with random weights.

    Returns:
        The model as the library has it, and the backbone, which holds parts of it.
    """
    about = described(model, weights)
    _, kind, config, options = _library(model, weights, about)
    whole = kind(config, **options)
    return whole, _backbone(ENCODERS[about.family](whole, about), whole, about, model, weights)


def library_state(model: nn.Module, backbone: VideoBackbone) -> dict[str, Tensor]:
    """Return the weights of a model by the library's names, as `load` reads them; arguments as `built` returns them."""
    norm = backbone.clip_encoder.state_dict()
    own = {name: value for name, value in norm.items() if name.startswith("fc_norm.")}
    return {name: value.contiguous() for name, value in (model.state_dict() | own).items()}


def _library(model: str, weights: str, about: VideoEncoder) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Return transformers, the class of a model, its configuration, and further arguments to build it with.

    Raises:
        UserError: transformers is not installed, or has no such class.
    """
    try:
        library: Any = import_module("transformers")
    except ImportError as error:
        raise UserError(f"The backbone {model} needs a package that is not installed: {VIDEO_EXTRA}") from error
    library.logging.set_verbosity_error()  # what does not fit is told here, in a sentence
    library.logging.disable_progress_bar()
    name, options = MODELS[about.family]
    if not hasattr(library, name):
        raise UserError(f"transformers {library.__version__} has no {about.title}: {VIDEO_EXTRA}")
    read = {**read_description(model, weights)}
    config = library.AutoConfig.for_model(read.pop("model_type"), **read)
    return library, getattr(library, name), config, options


def _beside(name: str, encoder: type[ClipEncoder]) -> bool:
    """Tell whether features do not come from a weight: a part of pretraining or of a classifier."""
    whole = name.partition(".")[2] if name.partition(".")[0] in _PREFIXES else name
    return whole.startswith(encoder.beside)


_PREFIXES = ("videomae", "timesformer", "vivit", "vjepa2", "vision_model")


def _without_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state without the norm before VideoMAE's classifier, which the library has outside of its encoder."""
    return {name: value for name, value in state.items() if not name.startswith("fc_norm.")}


def _load_norm(visual: ClipEncoder, state: dict[str, Tensor], path: str) -> None:
    """Load the norm before VideoMAE's classifier, where the description says that it has one."""
    norm = getattr(visual, "fc_norm", None)
    if norm is None:
        return
    own = {name.removeprefix("fc_norm."): v for name, v in state.items() if name.startswith("fc_norm.")}
    if set(own) != set(norm.state_dict()):
        says, has = ("a norm", "none") if not own else ("no norm", "one")
        raise UserError(
            f"By its description VideoMAE has {says} before a classifier, and {path} has {has} (fc_norm): see that "
            "`architectures` in its config.json is VideoMAEForVideoClassification where it was trained to classify"
        )
    if own:
        norm.load_state_dict(own)


def _misfit(path: str, model: str, missing: set[str], unknown: set[str], sizes: set[Any]) -> str:
    """Say what of a file does not fit an architecture."""
    said = [f"they lack {some_of(sorted(missing))}"] if missing else []
    said += [f"it has no place for {some_of(sorted(unknown))}"] if unknown else []
    said += [f"of another size is {some_of(sorted(str(each[0]) for each in sizes))}"] if sizes else []
    return f"The weights {path} do not fit the architecture {model}: {'; '.join(said)}"


def _backbone(visual: ClipEncoder, built: Any, about: VideoEncoder, model: str, weights: str) -> VideoBackbone:
    width = width_of_features(visual, about)
    encoders: nn.Module = TOWERS[about.family](visual, built) if about.has_text else VisualEncoder(visual)
    tokenizer: Callable[[], Tokenizer] | None = None
    if about.family == "xclip":
        tokenizer = partial(_clip_tokenizer, built.config.text_config.max_position_embeddings)
    elif about.has_text:
        of_hub = not model.endswith(".json")
        tokenizer = partial(HubTokenizer, model if of_hub else str(Path(model).parent), weights if of_hub else "")
    return VideoBackbone(encoders, about, width, tokenizer, f"{about.title} ({model})")


def _clip_tokenizer(length: int) -> Tokenizer:
    """Return CLIP's tokenizer, which is X-CLIP's; what stands after the end of a text differs, and is not read."""
    return open_clip.SimpleTokenizer(context_length=length)
