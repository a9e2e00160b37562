"""Reading pretrained weights from a local file without executing anything in it."""

import zipfile
from contextlib import suppress
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from fsar.errors import UserError

# Entries under which training programs keep a model's weights among other things; averaged ones first.
STATES = ("state_dict_ema", "model_ema", "state_dict", "model")


def read_weights(path: str) -> dict[str, Tensor]:
    """Return the weights in a .safetensors, .pt, .pth or .bin file by name.

    Raises:
        UserError: there is no such file, or it cannot be read without executing something in it.
    """
    if not Path(path).is_file():
        raise UserError(f"There is no weights file {path} (key backbones.….weights)")
    _refuse_programs(path)
    try:
        if path.endswith(".safetensors"):
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever safetensors or the restricted unpickler raises
        raise UserError(f"The weights file {path} cannot be read: {error}") from error
    entries = content if isinstance(content, dict) else {}
    state = next((entries[name] for name in STATES if isinstance(entries.get(name), dict)), entries)
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"The weights file {path} holds no weights by name")
    # Written by a model that was wrapped for several processes.
    return {name.removeprefix("module."): value for name, value in state.items()}


def _refuse_programs(path: str) -> None:
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        if any(Path(entry).name == "constants.pkl" for entry in archive.namelist()):
            raise UserError(
                f"{path} is a TorchScript archive, the way OpenAI publishes models: a program, not run here. "
                "If you trust it, make a plain file of its weights, and name that one:\n"
                f"python -c \"import torch; torch.save(torch.jit.load({path!r}, 'cpu').state_dict(), 'weights.pt')\""
            )


def misfit(weights: str, model: str, error: Exception) -> UserError:
    """Say that weights are of another architecture."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return UserError(
        f"The weights {weights} do not fit the architecture {model}: they are of another one ({' '.join(lines[:2])})"
    )
