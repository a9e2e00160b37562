"""The checkpoint to go on from: the last state of one training, and what that training was."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from fsar.config import EXECUTION_KEYS
from fsar.errors import UserError
from fsar.files import atomic, sha256_of

# How many differences a message lists.
SHOWN = 10


def identity(settings: dict[str, Any], files: Iterable[Path]) -> dict[str, str]:
    """Describe a training by what decides its result: each setting as `section.key`, each input file by its contents.

    Args:
        settings: sections of plain values; those that only say how the training is run are left out.
        files: input files.
    """
    described = {
        f"{section}.{key}" if isinstance(values, dict) else section: repr(value)
        for section, values in settings.items()
        for key, value in (values.items() if isinstance(values, dict) else [("", values)])
        if not (section == "training" and key in EXECUTION_KEYS)
    }
    for path in files:
        described[str(path)] = "sha256 " + sha256_of(path)[:16]
    return described


class Checkpoint:
    """The last state of one training; it is not an output of the workflow, which would delete it on failure.

    Args:
        path: of the file.
        training: the training's `identity`.
    """

    def __init__(self, path: Path, training: dict[str, str]):
        self.path, self.training = path, training

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last state; tensors and plain values only."""
        with atomic(self.path) as temporary:
            torch.save(state | {"training": self.training}, temporary)

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None if there is none; nothing in the file is executed.

        Raises:
            UserError: the state is of another training, with the differences; or the file cannot be read.
        """
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            saved = state["training"]
        except Exception as error:  # whatever the restricted unpickler raises
            raise UserError(
                f"The checkpoint {self.path} cannot be read ({error}). Delete it to start this training anew."
            ) from error
        if saved != self.training:
            raise UserError(
                f"The unfinished training in {self.path} (stopped at step {state['step']}) was another one:\n"
                + "\n".join(_differences(saved, self.training))
                + "\nGo back to what it was to go on with it, or delete the file to start anew."
            )
        return state

    def remove(self) -> None:
        """Forget the state, after the outputs are written."""
        self.path.unlink(missing_ok=True)


def _differences(saved: dict[str, str], current: dict[str, str]) -> list[str]:
    keys = [key for key in sorted({*saved, *current}) if saved.get(key) != current.get(key)]
    lines = []
    for key in keys[:SHOWN]:
        then, now = saved.get(key, "absent"), current.get(key, "absent")
        both_files = then.startswith("sha256 ") and now.startswith("sha256 ")
        lines.append(f"  - {key}: other contents" if both_files else f"  - {key}: {then} then, {now} now")
    if len(keys) > SHOWN:
        lines.append(f"  … and {len(keys) - SHOWN} more")
    return lines
