"""Reading weights from a local file without executing anything in it, and saying what it is if it holds none."""

import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from fsar.errors import UserError
from fsar.model.finite import check_weights
from fsar.seal import check_seal

log = logging.getLogger(__name__)

KEY = "key backbones.….weights"
# Entries under which training programs keep a model's weights among other things; averaged ones first.
STATES = (
    "state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model_state", "model", "module", "weights",
)  # fmt: skip
# How files begin that are no weights, and what they are.
OTHERS = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: run `git lfs pull` in its repository",
    b"<!doctype html": "a web page, so its download failed: fetch it again, where need be after logging in",
    b"<html": "a web page, so its download failed: fetch it again, where need be after logging in",
    b"<?xml": "XML, such as a server's error, so its download failed: fetch it again",
    b"\x1f\x8b": "a gzip archive: unpack it, and name the weights file in it",
    b"7z\xbc\xaf": "a 7-Zip archive: unpack it, and name the weights file in it",
    b"Rar!": "a RAR archive: unpack it, and name the weights file in it",
    b"\x89HDF": "an HDF5 file, as Keras writes: save the weights from PyTorch, as .safetensors",
    b"\x93NUMPY": "an array of NumPy: save the weights from PyTorch, as .safetensors",
}


def read_weights(path: str, key: str = KEY) -> dict[str, Tensor]:
    """Return the weights in a file by name, whatever its suffix: safetensors, or what torch.save has written.

    A model's weights are found among other things of a training, such as its optimizer, which are left out. Floating
    point numbers of any precision become 32 bits.

    Raises:
        UserError: there is no such file, it cannot be read without executing something in it, or it holds no weights by
            name, or such as are no finite real numbers.
    """
    _refuse_others(path, key)
    if wrong := check_seal(path, foreign=True):
        raise UserError(f"The weights file {path} is damaged: {wrong}. Fetch or make it again")
    try:
        content = load_file(path) if _is_safetensors(path) else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever safetensors or the restricted unpickler raises
        raise UserError(
            f"The weights file {path} cannot be read: {_reason(error)}. If it is cut short or damaged, fetch it again; "
            "what holds more than tensors and plain values is not read: save the model's state_dict() alone"
        ) from error
    state = _tensors(_state(content), path)
    check_weights(state, path)
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def _refuse_others(path: str, key: str) -> None:
    """Say what a file is that holds no weights, as far as its first bytes tell."""
    if Path(path).is_dir():
        raise UserError(f"{path} is a folder ({key}): name the weights file in it")
    try:
        with Path(path).open("rb") as file:
            start = file.read(512)
    except FileNotFoundError:
        raise UserError(f"There is no weights file {path} ({key}), so it cannot be read") from None
    except OSError as error:
        raise UserError(f"The weights file {path} ({key}) cannot be read: {error.strerror or error}") from None
    if not start:
        raise UserError(f"The weights file {path} is empty: its download or copy failed, so fetch it again")
    lowered = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, what in OTHERS.items():
        if lowered.startswith(beginning.lower()):
            raise UserError(f"{path} holds no weights: it is {what}")
    if lowered.startswith(b"{"):
        raise UserError(
            f"{path} is JSON and holds no weights. If it is an index of weights that are cut into several files, put "
            "them into one: read each by safetensors.torch.load_file, and save all by save_file"
        )
    if start.startswith(b"PK"):
        _refuse_programs(path)


def _refuse_programs(path: str) -> None:
    """Refuse zips that torch.save has not written."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(entry).name for entry in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        raise UserError(f"The weights file {path} is damaged and cannot be read: fetch it again") from None
    if "constants.pkl" in names:
        raise UserError(
            f"{path} is a TorchScript archive, the way OpenAI publishes models: a program, not run here. "
            "If you trust it, make a plain file of its weights, and name that one:\n"
            f"python -c \"import torch; torch.save(torch.jit.load({path!r}, 'cpu').state_dict(), 'weights.pt')\""
        )
    if "data.pkl" not in names:
        raise UserError(f"{path} is a zip archive and no weights file: unpack it, and name the weights file in it")


def _is_safetensors(path: str) -> bool:
    """Tell by the content: a number of 8 bytes, then as much of a JSON object; by its suffix where it is damaged."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" or path.lower().endswith(".safetensors")


def _reason(error: Exception) -> str:
    """Return what an error says in its first sentence; PyTorch's go on with how to execute what is in a file."""
    text = str(error).partition("WeightsUnpickler error:")[2] or str(error)
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return first.partition(". ")[0].partition(" by default")[0].rstrip(".")


def _state(content: Any) -> Any:
    """Return the weights among the other things of a training: the innermost of nested entries."""
    while isinstance(content, Mapping):
        inner = next((content[name] for name in STATES if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    return content


def _tensors(state: Any, path: str) -> dict[str, Tensor]:
    """Return the tensors of a state, and say what in it can be no weights."""
    if not isinstance(state, Mapping) or not any(isinstance(value, Tensor) for value in state.values()):
        raise UserError(
            f"The weights file {path} holds no state dict, that is, weights by name: save the model's state_dict()"
        )
    wrong = [name for name in state if not isinstance(name, str)]
    if wrong:
        raise UserError(
            f"The weights file {path} has {wrong[0]!r} for a name, which is no text: save the model's state_dict()"
        )
    others = [name for name, value in state.items() if not isinstance(value, Tensor)]
    # A weight's name says where in the model it is; what a training notes beside them is one word.
    wrong = [name for name in others if "." in name]
    if wrong:
        raise UserError(
            f"The weights file {path} has something else than a tensor as {wrong[0]!r} "
            f"({type(state[wrong[0]]).__name__}): save the model's state_dict()"
        )
    if others:
        log.info("%s: left out %s, which are no tensors", path, ", ".join(others))
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    for name, value in tensors.items():
        kind = f"{value.dtype}".removeprefix("torch.")
        if value.is_complex() or value.is_quantized or value.layout != torch.strided or value.is_meta:
            about = f"complex numbers ({kind})" if value.is_complex() else f"no plain numbers ({kind}, {value.layout})"
            raise UserError(f"The weights file {path} has {about} as {name!r}: save weights as real numbers")
    return tensors
