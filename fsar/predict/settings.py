"""What decides what a model says of a clip, but for its weights; as a model's folder describes it."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fsar.config import BackboneConfig, FramesConfig, SamplingConfig, TextConfig, TrainingConfig
from fsar.errors import UserError
from fsar.fabric import Float32
from fsar.keys.declare import Section
from fsar.methods import METHODS, MODELS, Components, Method
from fsar.methods.record import adapter_section, head_section
from fsar.methods.settings import AdapterSettings, HeadSettings
from fsar.predict.folder import EXPORTED, describing_file
from fsar.seal import whole

# What holds where no training says otherwise.
NO_TRAINING = TrainingConfig()
REMEDY = "It must describe a model, as a training or `fsar export` writes it: fetch or make its folder again"
# What may be a file that came with the model: an architecture of one's own, and the descriptions of classes.
FILES = (("backbone", "model"), ("text", "descriptions"))
# What an exported model has the text encoder in that `backbones.….words` names, if that is a folder.
WORDS = "words"
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
        for told in ("licence", "saw"):  # which decide nothing; a licence may be the model's own
            del sections["backbone"][told]
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


def read_settings(folder: Path, method: str | None = None) -> ModelSettings:
    """Read what a model's folder says of it.

    Raises:
        UserError: it is no model's folder, is damaged, or the method is of another model.
    """
    described = describing_file(folder)
    with whole(described, REMEDY, foreign=True):
        about = json.loads(described.read_text(encoding="utf-8"))
        record = about if described.name == EXPORTED else _of_training(about)
        for section, key in FILES:
            if (named := record[section][key]) and (folder / named).is_file():
                record[section][key] = str(folder / named)
        if (named := record["backbone"].get("words")) and (folder / named).is_dir():
            record["backbone"]["words"] = str(folder / named)
        settings = ModelSettings.of_record(record)
    named_method(settings.method)
    if method is None:
        return settings
    wanted = named_method(method).components
    if _on_features_of(wanted, settings.components):
        return replace(settings, method=method, components=wanted, head=wanted.settings)
    if wanted != settings.components:
        fitting = ", ".join(
            name
            for name, other in METHODS.items()
            if other.components == settings.components or _on_features_of(other.components, settings.components)
        )
        raise UserError(f"The model {folder} does not decide by {method!r}; it does by {fitting}")
    return ModelSettings.of_record(settings.record() | {"method": method})


def _on_features_of(components: Components, trained: Components) -> bool:
    """Tell whether a model of some components is a head on the features of a trained one."""
    return bool(components.weights_of) and MODELS[components.weights_of] == trained


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


def named_method(name: str) -> Method:
    """Return a method by its name; raises UserError if there is none."""
    if name not in METHODS:
        raise UserError(f"There is no method {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]
