"""The files that jobs import by name: their statements count beside those that a script imports itself."""

from pathlib import Path

from fsar.config import BackboneConfig, FramesConfig
from fsar.files import from_working_directory
from fsar.model.backbone_facts import OWN_ARCHITECTURES
from fsar.model.methods import CLIP_FSAR_HEAD, Components
from fsar.plan.code import PACKAGE


def model_files(backbone: BackboneConfig, components: Components) -> list[Path]:
    """Return the files that are imported by name: of a backbone's library, adapters, a head, and the metric in that."""
    folder = PACKAGE / "model"
    own = [folder / f"{backbone.library}_backbone.py", *_adapter_files(components)]
    own.append(folder / "heads" / f"{components.head}.py")
    return own + ([folder / "matching" / f"{components.metric}.py"] if components.head == CLIP_FSAR_HEAD else [])


def encoder_files(backbone: BackboneConfig, components: Components) -> list[Path]:
    """Return those of them that features come from: of frames they come whatever the head is."""
    if components.stores_its_own:
        return model_files(backbone, components)
    return [PACKAGE / "model" / f"{backbone.library}_backbone.py", *_adapter_files(components)]


def _adapter_files(components: Components) -> list[Path]:
    return [PACKAGE / "model" / "adapters" / f"{components.adapters}.py"] if components.adapters else []


def decoder_file(frames: FramesConfig) -> Path:
    """Return the file of a decoder, which is imported by its name."""
    return PACKAGE / "videos" / "decoders" / f"{frames.decoder}.py"


def architecture_files(model: str) -> list[str]:
    """Return the file that describes an architecture, if it is the user's or this project's and not a library's."""
    if model.endswith(".json"):
        return [model]
    own = OWN_ARCHITECTURES / f"{model}.json"
    return [from_working_directory(own)] if own.is_file() else []
