"""Loading the model that labels: a trained one from its folder, or a backbone as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
from torch import Tensor

from fsar.backbone_facts import TORCHVISION_WEIGHTS, open_clip_architecture
from fsar.clip_library import open_clip, timm
from fsar.config import BackboneConfig, FramesConfig, TextConfig
from fsar.errors import UserError
from fsar.methods import METHODS
from fsar.model.backbone import Backbone, bare_backbone, load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.model.trained_file import fill, part_of, read_trained
from fsar.model.undrawn import Undrawn
from fsar.packaged_weights import OFFLINE, PACKAGED
from fsar.predict.folder import EXPORTED, WEIGHTS
from fsar.predict.model import LabellingModel
from fsar.predict.settings import ModelSettings, named_method, read_settings
from fsar.predict.support import SupportSet
from fsar.video_encoders import library_of, own_description

DEFAULT_BACKBONE = "ViT-B-16"
# A width that is built without a look at the weights.
SIZE = 100_000


def stored_size(image_size: int) -> int:
    """Return the side of stored frames for a backbone that looks at pictures of `image_size`: 256 for 224, as usual."""
    return round(image_size * 8 / 7)


def named_model(name: str | Path, weights: str | None = None, method: str | None = None) -> LabellingModel:
    """Load the model that a name means.

    Args:
        name: a trained model's folder; a saved support set (.safetensors) of a backbone as it is; a trained model on
            Hugging Face's hub, as owner/name; or a backbone, as `model_of_backbone` takes it.
        weights: of a backbone.
        method: how it decides.

    Raises:
        UserError: nothing is meant by the name, or it cannot be loaded.
    """
    text = str(name)
    if Path(text).is_dir():
        if weights:
            raise UserError(f"{text} is a folder, which has its weights: leave out --weights")
        return load_folder(Path(text), method)
    if is_support_set(text):
        return _model_of_support_set(text)
    if text.count("/") == 1 and not text.endswith(".json") and not Path(text).exists():
        return load_folder(_of_hub(text), method)
    return model_of_backbone(text, weights, method)


def is_support_set(name: str | Path) -> bool:
    """Tell whether a name is that of a saved support set: a file of safetensors, where a model would be a folder."""
    return str(name).endswith(".safetensors") and Path(name).is_file()


def _model_of_support_set(path: str) -> LabellingModel:
    settings = ModelSettings.of_record(SupportSet.read(path).provenance["settings"])
    if settings.components.needs_training:
        raise UserError(
            f"{path} was made with a trained model ({settings.knows}): name its folder, and load_support it"
        )
    return untrained(settings)


def _of_hub(name: str) -> Path:
    """Download a model's folder from Hugging Face's hub, or find it where it was downloaded before."""
    wanted = [WEIGHTS, EXPORTED, "*.json", "*.csv"]
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=wanted))
    except (OSError, ValueError, huggingface_hub.errors.HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"There is no folder {name}, and Hugging Face's hub did not give a model of this name: {reason}. Without a "
            "network, copy the model's folder here and name it"
        ) from None


def model_of_backbone(
    backbone: str = DEFAULT_BACKBONE,
    weights: str | None = None,
    method: str | None = None,
) -> LabellingModel:
    """Load a backbone as it is.

    Args:
        backbone: an architecture of open_clip or of timm, a JSON file that describes one of open_clip's or an encoder
            of video, or a name of `OFFLINE`.
        weights: a tag of the library, a local file, or a package that carries them; without it OpenAI's of a CLIP,
            and timm's default of others.
        method: one that trains nothing; clip-freeze without it.

    Raises:
        UserError: a method that needs training, or as `load_backbone`.
    """
    method = method or "clip-freeze"
    if named_method(method).components.needs_training:
        plain = ", ".join(name for name, other in METHODS.items() if not other.components.needs_training)
        raise UserError(
            f"The method {method!r} needs a trained model: name its folder. A backbone as it is does {plain}"
        )
    about = as_it_is(backbone, weights)
    try:
        with Undrawn():
            loaded = load_backbone(about)
    except UserError as error:  # which speaks of the config's keys
        raise UserError(str(error).replace("key backbones.….", "--").replace("backbones.….", "--")) from None
    saw = PACKAGED[about.weights].knows if about.weights in PACKAGED else "its pictures"
    saw += " and captions" if about.has_text else ""
    knows = f"{backbone} with weights {about.weights}, as pretrained: it knows what {saw} showed, "
    settings = ModelSettings(
        method=method,
        components=METHODS[method].components,
        backbone=about,
        text=TextConfig(),
        head=METHODS[method].components.settings,
        sampling=about.own_sampling,
        frames=FramesConfig(size=stored_size(loaded.image_size)),
        seed=0,
        knows=knows + "and was not trained on videos",
    )
    return _model(settings, loaded, {}, has_text=True)


def as_it_is(backbone: str, weights: str | None) -> BackboneConfig:
    """Return which backbone is meant by a name; arguments as those of `model_of_backbone`.

    Raises:
        UserError: neither library has such an architecture.
    """
    if backbone in OFFLINE:
        package = OFFLINE[backbone]
        return BackboneConfig(library="timm", model=PACKAGED[package].architecture, weights=weights or package)
    quick = f"{backbone}-quickgelu"  # OpenAI's weights belong to these
    if (weights or "openai") == "openai" and quick in open_clip.list_models():
        return BackboneConfig(model=quick, weights="openai")
    own = "/" not in backbone and own_description(backbone).is_file()
    if (own or backbone.endswith(".json")) and (library := library_of(backbone)):
        weights = weights or dict(TORCHVISION_WEIGHTS).get(backbone)
        if not weights:
            what = "is" if own else "describes"
            raise UserError(f"{backbone} {what} an encoder of video: name its weights by --weights")
        return BackboneConfig.model_validate({"library": library, "model": backbone, "weights": weights})
    try:
        open_clip_architecture(backbone)
    except UserError:
        if backbone.endswith(".json") or not timm.is_model(backbone):
            raise
        about = timm.get_pretrained_cfg(backbone)
        tag = weights or (about.tag if about else None)
        if not tag:
            raise UserError(f"timm has no weights for {backbone}: name a local file by --weights") from None
        return BackboneConfig(library="timm", model=backbone, weights=tag)
    return BackboneConfig(model=backbone, weights=weights or "openai")


def load_folder(folder: Path, method: str | None = None) -> LabellingModel:
    """Load a trained model's folder, the workflow's own or an exported one.

    Args:
        folder: with model.safetensors, and training.json or config.json.
        method: one that decides with this model; without it the first of them.

    Raises:
        UserError: a file is missing, damaged, or the method is of another model.
    """
    settings = read_settings(folder, method)
    return load_trained(settings, folder / WEIGHTS)


def load_trained(settings: ModelSettings, weights: Path) -> LabellingModel:
    """Load a model of these settings with the weights of a training; raises UserError if they do not fit."""
    state = read_trained(weights, settings.components)
    _check_sizes(settings, state, weights)
    has_text = any(name.startswith("text.") for name in state)
    if any(name.startswith("visual.") for name in state):
        with Undrawn():
            backbone = bare_backbone(settings.backbone)
        fill(backbone.visual.load_state_dict, state, "visual", weights)
    else:  # the head alone was trained
        with Undrawn():
            backbone, has_text = load_backbone(settings.backbone, trained=True), True
    if text := part_of(state, "text"):
        _, unexpected = backbone.encoders.load_state_dict(text, strict=False)
        if unexpected:
            raise UserError(f"{weights} is of another backbone: it has no {unexpected[0]!r}")
    return _model(settings, backbone, state, has_text, weights)


def _check_sizes(settings: ModelSettings, state: Mapping[str, Tensor], weights: Path) -> None:
    """Check that nothing is built that is larger than the weights for it; raises UserError."""
    for part, section in (("head", settings.head), ("adapters", settings.adapters)):
        numbers = section.model_dump().items() if section is not None else ()
        size = sum(values.numel() for values in part_of(state, part).values())
        for key, value in numbers:
            each = value if isinstance(value, list) else [value]
            largest = max((abs(one) for one in each if isinstance(one, int)), default=0)
            if largest > max(size, SIZE) and not key.endswith("seed"):
                raise UserError(f"{weights} is of another model: {part}.{key} is {largest}, of {size} weights in all")


def planned_model(planned: Mapping[str, Any], weights: Path | None) -> LabellingModel:
    """Load the model that the workflow has planned (`fsar.plan.predict`).

    Args:
        planned: its folder and method, or its settings without what equals the default.
        weights: of its training, if `planned` says that there are any.

    Raises:
        UserError: as `load_folder` and `load_trained`.
    """
    if "folder" in planned:
        return load_folder(Path(planned["folder"]), planned["method"])
    settings = ModelSettings.of_record({"licence": "not stated", **planned})
    return load_trained(settings, weights) if planned["trained"] and weights else untrained(settings)


def untrained(settings: ModelSettings) -> LabellingModel:
    """Load a model of these settings that nothing was trained for."""
    with Undrawn():
        backbone = load_backbone(settings.backbone)
    return _model(settings, backbone, {}, has_text=True)


def _model(
    settings: ModelSettings, backbone: Backbone, state: dict[str, Tensor], has_text: bool, weights: Path | None = None
) -> LabellingModel:
    if settings.frames.size < backbone.image_size:
        raise UserError(
            f"The model looks at {backbone.image_size} × {backbone.image_size} pixels, but its frames have "
            f"{settings.frames.size} × {settings.frames.size}"
        )
    parts = settings.components
    if not METHODS[settings.method].inductive:
        others = [name for name, other in METHODS.items() if other.inductive and other.components.head == parts.head]
        raise UserError(
            f"The method {settings.method!r} decides by all queries of an episode together, and cannot label single "
            f"clips: label them by {' or '.join(others)}"
        )
    model = FewShotModel(backbone, parts, settings.head, settings.sampling.frames, adapters=settings.adapters)
    if weights is not None:
        if backbone.adapters is not None:
            fill(backbone.adapters.load_state_dict, state, "adapters", weights)
        if not parts.weights_of:
            fill(model.head.load_state_dict, state, "head", weights)
    return LabellingModel(settings, model, has_text).eval().requires_grad_(False)
