"""The files that jobs import by name: their statements count beside those that a script imports itself."""

from pathlib import Path

from fsar.backbone_facts import OWN_ARCHITECTURES
from fsar.config import BackboneConfig, FramesConfig
from fsar.files import from_working_directory
from fsar.methods import Components, module_file
from fsar.plan.code import PACKAGE
from fsar.video_encoders import own_description


def model_files(backbone: BackboneConfig, components: Components) -> list[Path]:
    """Return the files that are imported by name: of a backbone's library, adapters, a head, and a metric in that."""
    return [_library_file(backbone), *map(module_file, components.imported_by_name)]


def encoder_files(backbone: BackboneConfig, components: Components) -> list[Path]:
    """Return those of them that features come from: of frames they come whatever the head is."""
    if components.stores_its_own:
        return model_files(backbone, components)
    adapters = (name for name in components.imported_by_name if name.endswith(".adapter"))
    return [_library_file(backbone), *map(module_file, adapters)]


def encoder_files_of_training(backbone: BackboneConfig, components: Components) -> list[Path]:
    """Return those that the stored features of training videos come from: the head says which layers' tokens."""
    head = [module_file(f"fsar.methods.{components.head}.head")] if components.needs == "tokens" else []
    return [_library_file(backbone), *head]


def _library_file(backbone: BackboneConfig) -> Path:
    return PACKAGE / "model" / f"{backbone.library}_backbone.py"


def decoder_file(frames: FramesConfig) -> Path:
    """Return the file of a decoder, which is imported by its name."""
    return PACKAGE / "videos" / "decoders" / f"{frames.decoder}.py"


def architecture_files(model: str) -> list[str]:
    """Return the file that describes an architecture, if it is the user's or this project's and not a library's."""
    if model.endswith(".json"):
        return [model]
    own = [OWN_ARCHITECTURES / f"{model}.json", own_description(model)]
    return [from_working_directory(file) for file in own if "/" not in model and file.is_file()]
