"""The checkpoint to continue from: last state and best weights of a training run, and what decides that run.

Settings and input files identify a training run; a checkpoint of another run is refused. Code that changed in
between is reported and recorded, and training continues: a corrected message must not cost days.

The best weights have their own file, named by their iteration and written when validation finds them. A state names
its best weights, and these stay until a state that names others is written, because a process may be killed between
any two writes.
"""

import logging
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fsar.errors import UserError
from fsar.files import atomic, sha256_of
from fsar.lists import differences
from fsar.methods import Components
from fsar.model.trained_file import save_weights
from fsar.seal import OPEN, check_seal, seal

log = logging.getLogger(__name__)


def identity(settings: dict[str, Any], files: Iterable[Path]) -> dict[str, str]:
    """Describe what decides the result of a training run: settings as `section.key`, input files by their contents.

    Args:
        settings: sections of values that decide the result, without defaults.
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
    """The last state of a training run. It is not an output of the workflow, which would delete it on failure.

    A thread writes the files while training goes on, one at a time, from copies in main memory. As a context it waits
    for the last one at the end.

    Args:
        path: of the file.
        training: the training's `identity`.
        code: checksum of each project file that the run depends on.
        components: of the model, written into its best weights.
    """

    def __init__(
        self, path: Path, training: dict[str, str], code: dict[str, str], components: Components | None = None
    ):
        self.path, self.training, self.code, self.components = path, training, code, components
        self._writer = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._writer.shutdown()

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last state: tensors and plain values only, with the `iteration` of its best weights as `best`.

        The caller may change `state` at once; a copy is written. Raises the error of the previous write, if any.
        """
        self._begin(self._write, _copy(state | {"training": self.training, "code": self.code}))

    def save_best(self, weights: dict[str, Tensor], iteration: int) -> None:
        """Write the best weights so far, before any state that names them."""
        self._begin(save_weights, _copy(weights), self._best(iteration), self.components)

    def wait(self) -> None:
        """Wait until everything is written; raises the error of the last write, if any."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def export_best(self, iteration: int, path: Path) -> None:
        """Copy the best weights to `path` after they are written."""
        self.wait()
        with atomic(path) as temporary:
            shutil.copyfile(self._best(iteration), temporary)

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None if there is none; nothing in the file is executed.

        Raises:
            UserError: the state is of another training, with the differences; or the file cannot be read.

        The entry `other_code` of the state lists the steps after which training went on with other code, and the files.
        """
        if not self.path.is_file():
            return None
        try:
            if wrong := check_seal(self.path):
                raise ValueError(wrong)
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            saved, code = state["training"], state["code"]
        except Exception as error:  # whatever the restricted unpickler raises
            raise UserError(
                f"The checkpoint {self.path} cannot be read ({error}). Delete it to start this training anew."
            ) from error
        if saved != self.training:
            raise UserError(
                f"The unfinished training in {self.path} (stopped at step {state['step']}) was another one:\n"
                + differences(saved, self.training)
                + "\nGo back to what it was to go on with it, or delete the file to start anew."
            )
        if (best := state.get("best")) and not (weights := self._best(best["iteration"])).is_file():
            raise UserError(
                f"{weights}, the best weights of the unfinished training in {self.path}, are missing. Bring them back, "
                f"or delete {self.path} to start anew."
            )
        elif best and (wrong := check_seal(weights)):
            raise UserError(
                f"{weights}, the best weights of the unfinished training in {self.path}, are damaged: {wrong}. "
                "Delete both to start anew."
            )
        if changed := sorted(file for file in {*code, *self.code} if code.get(file) != self.code.get(file)):
            log.warning(
                "The code changed since step %d of this training, which goes on with what is there now: %s. To start "
                "anew instead, delete %s.", state["step"], ", ".join(changed), self.path
            )  # fmt: skip
            state["other_code"] = [*state["other_code"], {"step": state["step"], "files": changed}]
        return state

    def remove(self) -> None:
        """Delete the state and the best weights, after the outputs are written."""
        self.wait()
        self.path.unlink(missing_ok=True)
        self._keep_best(None)

    def _begin(self, write: Callable[..., None], *arguments: Any) -> None:
        self.wait()  # so only one copy is held at a time, and nothing follows a failed write
        self._written = self._writer.submit(write, *arguments)

    def _write(self, state: dict[str, Any]) -> None:
        with atomic(self.path) as temporary:
            torch.save(state, temporary)
            with temporary.open("ab") as file:  # behind the end, where PyTorch does not look
                file.write(OPEN.encode())
            seal(temporary)
        self._keep_best(state.get("best"))

    def _best(self, iteration: int) -> Path:
        return self.path.with_name(f"{self.path.stem}.best-{iteration}.safetensors")

    def _keep_best(self, best: dict[str, Any] | None) -> None:
        """Delete the best weights of this run except those that its state names."""
        kept = self._best(best["iteration"]) if best else None
        for file in self.path.parent.iterdir():
            if file.name.startswith(f"{self.path.stem}.best-") and file.suffix == ".safetensors" and file != kept:
                file.unlink()


def _copy(value: Any) -> Any:
    """Return a state in main memory that training does not change."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value
