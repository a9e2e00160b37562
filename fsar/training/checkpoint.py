"""The checkpoint to go on from: the last state of one training, and what that training was.

Settings and input files make a training what it is: others are another training, which is refused. Code that changed in
between is told and recorded, and the training goes on: a mended message must not cost days.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from fsar.errors import UserError
from fsar.files import atomic, sha256_of

log = logging.getLogger(__name__)

# How many differences a message lists.
SHOWN = 10


def identity(settings: dict[str, Any], files: Iterable[Path]) -> dict[str, str]:
    """Describe a training by what decides its result: each setting as `section.key`, each input file by its contents.

    Args:
        settings: sections of decisive values, without those that equal their default.
        files: input files.
    """
    described = {
        f"{section}.{key}" if isinstance(values, dict) else section: repr(value)
        for section, values in settings.items()
        for key, value in (values.items() if isinstance(values, dict) else [("", values)])
    }
    for path in files:
        described[str(path)] = "sha256 " + sha256_of(path)[:16]
    return described


class Checkpoint:
    """The last state of one training; it is not an output of the workflow, which would delete it on failure.

    Args:
        path: of the file.
        training: the training's `identity`.
        code: checksum of each file of the project that it depends on.
    """

    def __init__(self, path: Path, training: dict[str, str], code: dict[str, str]):
        self.path, self.training, self.code = path, training, code

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last state; tensors and plain values only."""
        with atomic(self.path) as temporary:
            torch.save(state | {"training": self.training, "code": self.code}, temporary)

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None if there is none; nothing in the file is executed.

        Raises:
            UserError: the state is of another training, with the differences; or the file cannot be read.

        The entry `other_code` of the state lists the steps after which it went on with other code, and which files.
        """
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            saved, code = state["training"], state["code"]
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
        if changed := sorted(file for file in {*code, *self.code} if code.get(file) != self.code.get(file)):
            log.warning(
                "The code changed since step %d of this training, which goes on with what is there now: %s. To start "
                "anew instead, delete %s.", state["step"], ", ".join(changed), self.path
            )  # fmt: skip
            state["other_code"] = [*state["other_code"], {"step": state["step"], "files": changed}]
        return state

    def remove(self) -> None:
        """Forget the state, after the outputs are written."""
        self.path.unlink(missing_ok=True)


def _differences(saved: dict[str, str], current: dict[str, str]) -> list[str]:
    keys = [key for key in sorted({*saved, *current}) if saved.get(key) != current.get(key)]
    lines = []
    for key in keys[:SHOWN]:
        then, now = saved.get(key, "the default"), current.get(key, "the default")
        both_files = then.startswith("sha256 ") and now.startswith("sha256 ")
        lines.append(f"  - {key}: other contents" if both_files else f"  - {key}: {then} then, {now} now")
    if len(keys) > SHOWN:
        lines.append(f"  … and {len(keys) - SHOWN} more")
    return lines
