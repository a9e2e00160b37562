"""The model that labels: a trained one from its folder, or a CLIP as it is."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fsar.config import (
    BackboneConfig,
    FramesConfig,
    SamplingConfig,
    TextConfig,
    TrainingConfig,
)
from fsar.errors import UserError
from fsar.fabric import Float32
from fsar.keys.declare import Section
from fsar.methods import METHODS, MODELS, Components
from fsar.methods.head import Head
from fsar.methods.needs import Tensors
from fsar.methods.record import AdapterSettings, HeadSettings, adapter_section, head_section
from fsar.model.backbone import Backbone, bare_backbone, load_backbone
from fsar.model.class_texts import read_descriptions
from fsar.model.few_shot import FewShotModel, part_of
from fsar.model.finite import check_finite, check_weights
from fsar.model.text import encode_classes
from fsar.predict.decide import JOINT
from fsar.predict.folder import EXPORTED, WEIGHTS, describing_file
from fsar.seal import check_seal

DEFAULT_BACKBONE = "ViT-B-16"
# The demo's own CLIP.
SMALL_CLIP = "small-clip"
# A width that is built without a look at the weights.
SIZE = 100_000
# What holds where no training says otherwise.
NO_TRAINING = TrainingConfig()
# What may be a file that came with the model: an architecture of one's own, and the descriptions of classes.
FILES = (("backbone", "model"), ("text", "descriptions"))
# The sections of the config that are part of a model.
SECTIONS: dict[str, type[Section]] = {
    "backbone": BackboneConfig,
    "text": TextConfig,
    "head": HeadSettings,
    "sampling": SamplingConfig,
    "frames": FramesConfig,
}


@dataclass(frozen=True)
class ModelSettings:
    """Everything that decides what a model says of a clip, but for its weights.

    Attributes:
        method: one of `METHODS`; how it decides.
        components: what its model is made of.
        backbone, text, head, sampling, frames: as in the workflow.
        seed: of the frames that are looked at.
        knows: what it has learnt from, for people.
        float32: how a GPU multiplies.
        adapters: settings of what is in the backbone, if anything is.
        licence: of the weights, and of the videos it was trained on.
    """

    method: str
    components: Components
    backbone: BackboneConfig
    text: TextConfig
    head: HeadSettings
    sampling: SamplingConfig
    frames: FramesConfig
    seed: int
    knows: str
    licence: str = "not stated"
    float32: Float32 = NO_TRAINING.float32
    adapters: AdapterSettings | None = None

    def record(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        sections = {name: getattr(self, name).model_dump() for name in SECTIONS}
        del sections["backbone"]["licence"]  # which may be the default where the model has one of its own
        own = {name: getattr(self, name) for name in ("method", "seed", "knows", "licence")}
        if self.float32 != type(self).float32:  # a default leaves no trace
            own["float32"] = self.float32
        if self.adapters is not None:
            own["adapters"] = self.adapters.model_dump()
        return sections | own | {"components": asdict(self.components)}

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> "ModelSettings":
        """Read what `record` returned."""
        components = Components(**record["components"])
        kinds = SECTIONS | {"head": head_section(components.head)}
        read: dict[str, Any] = {name: kind(**record[name]) for name, kind in kinds.items()}
        own = {name: record[name] for name in ("method", "seed", "knows", "licence")}
        for name, kind in (("method", str), ("seed", int), ("knows", str), ("licence", str)):
            if type(own[name]) is not kind:
                raise TypeError(f"{name} is {own[name]!r}")
        if own["seed"] < 0:
            raise ValueError(f"seed is {own['seed']}")
        own |= {name: record[name] for name in ("float32",) if name in record}
        if components.adapters:
            own["adapters"] = adapter_section(components.adapters)(**record["adapters"])
        return cls(components=components, **read, **own)


class LabellingModel(nn.Module):
    """A trained model that looks at single clips, or a backbone as it is.

    Args:
        settings: what decides.
        model: backbone and head, with their trained weights.
        has_text: the backbone's text encoder has its weights too; if not, they are loaded when a text is asked for.
    """

    def __init__(self, settings: ModelSettings, model: FewShotModel, has_text: bool):
        super().__init__()
        self.settings, self.model, self.has_text = settings, model, has_text

    @property
    def backbone(self) -> Backbone:
        """The backbone."""
        return self.model.backbone

    @property
    def subject(self) -> str:
        """Name the model, for messages."""
        return f"The model ({self.settings.method}, {self.backbone.name})"

    def tested_head(self) -> Head:
        """Return the head as the workflow's tests have it."""
        return self.model.tested_head()

    @property
    def frames_apart(self) -> bool:
        """Whether what is kept of a frame does not depend on the other frames of its clip."""
        return self.model.head.needs.kind == "frames" and self.backbone.adapters is None

    @torch.inference_mode()
    def encode(self, clips: Tensor, joint: bool = False) -> Tensors:
        """Return what is kept of clips: (V, T, H, W, 3) RGB bytes → (V, …) each.

        One clip at a time: the same clip then has the same features, to the last bit, whatever is looked at beside it.

        Args:
            clips: RGB bytes.
            joint: keep the frames in the joint space too, which are compared with texts.

        Raises:
            UserError: a feature is NaN or infinite.
        """
        each = [self._encode(clip.unsqueeze(0).to(self.device), joint) for clip in clips]
        stored = {name: torch.cat([one[name] for one in each]) for name in each[0]}
        for values in stored.values():
            check_finite(values, f"{self.subject}, looking at clips,")
        return stored

    def _encode(self, clip: Tensor, joint: bool) -> Tensors:
        stored = self.model.encode(clip)
        if joint and self.model.head.needs.kind != "frames":  # else they are what is kept
            stored = stored | {JOINT: self.backbone(clip)}
        return stored

    @torch.inference_mode()
    def encode_classes(self, names: Sequence[str]) -> tuple[Tensor, float]:
        """Encode class names, and CLIP's own scale of their similarities.

        Args:
            names: N of them.

        Returns:
            (N, D) text features, (N, S, D) for a head that looks at each text; and the scale.

        Raises:
            UserError: there is no text encoder, its weights cannot be loaded, or a class is not described.
        """
        if not self.backbone.has_text:
            raise UserError(f"The backbone {self.backbone.name} has no text encoder: let examples alone decide")
        backbone = (
            self.backbone
            if self.has_text
            else load_backbone(self.settings.backbone, trained=True).eval().to(self.device)
        )
        text = encode_classes(backbone, names, self.settings.text, self.settings.components.each_text)
        return text, float(backbone.encoders.logit_scale.exp())

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.backbone.mean.device

    def fingerprint(self) -> str:
        """Return what tells this model's features from any other's: a checksum of its weights and settings."""
        digest = hashlib.sha256()
        shown = {
            key: value for key, value in self.settings.record().items() if key not in ("method", "knows", "licence")
        }
        # Where files lie does not tell models apart; what is in them does.
        shown["backbone"] = [self.backbone.image_size, self.backbone.mean.tolist(), self.backbone.std.tolist()]
        described = self.settings.text.descriptions
        shown["text"] |= {"descriptions": read_descriptions(described) if described else {}}
        digest.update(json.dumps(shown, sort_keys=True).encode())
        for part in (self.backbone.visual, self.backbone.adapters or nn.Identity(), self.model.head):
            for name, value in sorted(part.state_dict().items()):
                digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def stored_size(image_size: int) -> int:
    """Return the side of stored frames for a backbone that looks at pictures of `image_size`: 256 for 224, as usual."""
    return round(image_size * 8 / 7)


def model_of_backbone(
    backbone: str = DEFAULT_BACKBONE,
    weights: str | None = None,
    method: str | None = None,
    sampling: SamplingConfig | None = None,
    seed: int = 0,
) -> LabellingModel:
    """Load a CLIP as it is.

    Args:
        backbone: an architecture of open_clip or a JSON file that describes one.
        weights: a tag of open_clip or a local file; OpenAI's without it.
        method: one that trains nothing; clip-freeze without it.
        sampling, seed: which frames of a clip are looked at.

    Raises:
        UserError: a method that needs training, or as `load_backbone`.
    """
    method = method or "clip-freeze"
    if _method(method).components.trained:
        plain = ", ".join(name for name, other in METHODS.items() if not other.components.trained)
        raise UserError(f"The method {method!r} needs a trained model: name its folder. A CLIP as it is does {plain}")
    weights = weights or "openai"
    quick = f"{backbone}-quickgelu"  # OpenAI's weights belong to these
    model = quick if weights == "openai" and quick in open_clip.list_models() else backbone
    about = BackboneConfig(model=model, weights=weights)
    try:
        loaded = load_backbone(about)
    except UserError as error:  # which speaks of the config's keys
        raise UserError(str(error).replace("key backbones.….", "--").replace("backbones.….", "--")) from None
    knows = f"{backbone} with weights {weights}, as pretrained: it knows what its pictures and captions showed, "
    settings = ModelSettings(
        method=method,
        components=METHODS[method].components,
        backbone=about,
        text=TextConfig(),
        head=head_section(METHODS[method].components.head)(),
        sampling=sampling or SamplingConfig(),
        frames=FramesConfig(size=stored_size(loaded.image_size)),
        seed=seed,
        knows=knows + "and was not trained on videos",
    )
    return _model(settings, loaded, {}, has_text=True)


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
    try:
        if wrong := check_seal(weights, foreign=True):
            raise OSError(wrong)
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise UserError(f"The trained weights {weights} cannot be read: {error}") from error
    check_weights(state, weights)
    _check_sizes(settings, state, weights)
    has_text = any(name.startswith("text.") for name in state)
    if any(name.startswith("visual.") for name in state):
        backbone = bare_backbone(settings.backbone)
        _fill(backbone.visual, state, "visual", weights)
    else:  # the head alone was trained
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
        there = sum(values.numel() for values in part_of(state, part).values())
        for key, value in numbers:
            each = value if isinstance(value, list) else [value]
            largest = max((abs(one) for one in each if isinstance(one, int)), default=0)
            if largest > max(there, SIZE) and not key.endswith("seed"):
                raise UserError(f"{weights} is of another model: {part}.{key} is {largest}, of {there} weights in all")


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
    return _model(settings, load_backbone(settings.backbone), {}, has_text=True)


def read_settings(folder: Path, method: str | None = None) -> ModelSettings:
    """Read what a model's folder says of it.

    Raises:
        UserError: it is no model's folder, is damaged, or the method is of another model.
    """
    described = describing_file(folder)
    try:
        if wrong := check_seal(described, foreign=True):
            raise ValueError(wrong)
        about = json.loads(described.read_text(encoding="utf-8"))
        record = about if described.name == EXPORTED else _of_training(about)
        for section, key in FILES:
            if (named := record[section][key]) and (folder / named).is_file():
                record[section][key] = str(folder / named)
        settings = ModelSettings.of_record(record)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise UserError(f"{described} cannot be read as the description of a model: {error!r}") from None
    _method(settings.method)
    if method is None:
        return settings
    if _method(method).components != settings.components:
        fitting = ", ".join(name for name, other in METHODS.items() if other.components == settings.components)
        raise UserError(f"The model {folder} does not decide by {method!r}; it does by {fitting}")
    return ModelSettings.of_record(settings.record() | {"method": method})


def _of_training(about: dict[str, Any]) -> dict[str, Any]:
    """Turn a training.json into a record of `ModelSettings`."""
    if about["model"] not in MODELS:
        raise KeyError(about["model"])
    counts, chosen = about["videos"]["train"], about["selection"]
    knows = (
        f"trained on {about['benchmark']} ({counts['classes']} classes, {counts['videos']} videos), "
        f"with {100 * chosen['accuracy']:.1f} % on its validation episodes; backbone {about['backbone_name']}"
    )
    method = next(name for name, other in METHODS.items() if other.model == about["model"])
    shared = {name: about[name] for name in ("components", *SECTIONS)}
    return shared | {
        "method": method,
        "seed": about["data_seed"],
        "knows": knows,
        "licence": about["backbone"].get("licence", "not stated"),
        **{name: about["training"][name] for name in ("float32",) if name in about["training"]},
        **{name: about[name] for name in ("adapters",) if name in about},
    }


def _method(name: str) -> Any:
    if name not in METHODS:
        raise UserError(f"There is no method {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]


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
            _fill(backbone.adapters, state, "adapters", weights)
        _fill(model.head, state, "head", weights)
    return LabellingModel(settings, model, has_text).eval().requires_grad_(False)


def _fill(module: nn.Module, state: dict[str, Tensor], part: str, weights: Path) -> None:
    try:
        module.load_state_dict(part_of(state, part))
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise UserError(f"{weights} is of another backbone or method. First difference: {first}") from None
