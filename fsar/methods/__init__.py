"""The methods of the comparison: a folder each, with its record, its code and its recipe. docs/add_method.md adds one.

A model is what is trained (or taken as it is); several methods may decide with one. Values of records reach the
workflow's rules as parameters: a new record leaves every trained model as it is.

Folders of one's own are named by the environment variable FSAR_METHODS, which the workflow sets from `own_methods`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fsar.errors import UserError
from fsar.methods.record import Components, Method, record_of
from fsar.own_methods import own_folders, searched

__all__ = [
    "FOLDERS",
    "METHODS",
    "MODELS",
    "OWN_FOLDERS",
    "RECORDS",
    "Components",
    "Method",
    "folder_of",
    "module_file",
    "trained_as",
]

FOLDERS = (
    "otam",
    "clip_fsar",
    "trx",
    "strm",
    "hyrsm",
    "hyrsmpp",
    "molo",
    "team",
    "d2st",
    "lora",
    "aim",
    "task_adapter",
    "tsfsar",
    "empnet",
    "clipspm",
    "chamferpp",
    "mmlfsar",
    "soap",
    "nearest_centroid",
    "linear_probe",
    "tip_adapter",
    "tamt",
    "safsar",
    "clip_classifier",
)
OWN_FOLDERS = own_folders()
__path__ = searched(__path__, OWN_FOLDERS)

RECORDS = {folder: record_of(folder) for folder in (*FOLDERS, *OWN_FOLDERS)}


def folder_of(name: str) -> Path:
    """Return where the folder of a method is."""
    return OWN_FOLDERS.get(name, Path(__file__).parent / name)


def module_file(module: str) -> Path:
    """Return the file of a module of `fsar.methods`, whether or not it is there."""
    folder, *rest = module.removeprefix("fsar.methods.").split(".")
    return folder_of(folder).joinpath(*rest).with_suffix(".py")


def _once(kind: Literal["models", "methods"]) -> Iterator[tuple[str, Any]]:
    """Yield the models or methods of all records, none of them twice."""
    seen: dict[str, str] = {}
    for folder, record in RECORDS.items():
        for name, own in getattr(record, kind).items():
            if name in seen:
                raise UserError(f"Both methods {seen[name]!r} and {folder!r} have {name!r} among their {kind}")
            seen[name] = folder
            yield name, own


MODELS: dict[str, Components] = dict(_once("models"))
METHODS: dict[str, Method] = {name: replace(own, model=own.model or name) for name, own in _once("methods")}


def trained_as(model: str) -> str:
    """Return the model whose training a model rests on: its own, but for a head on another one's features."""
    return MODELS[model].weights_of or model
