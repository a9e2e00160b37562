"""Checkpoints to go on from: one file per training run, kept under a name that only the same run has."""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from fsar.files import atomic


def fingerprint(settings: dict[str, Any], files: Iterable[Path]) -> str:
    """Return a short name for a run: the same settings and the same contents of its input files give the same."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(files):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


class Checkpoints:
    """The last state of one training run; it is not an output of the workflow, which would delete it on failure."""

    def __init__(self, folder: Path, name: str):
        self.folder = folder / name

    @property
    def path(self) -> Path:
        return self.folder / "last.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Replace the last state; tensors and plain values only."""
        with atomic(self.path) as temporary:
            torch.save(state, temporary)

    def load(self) -> dict[str, Any] | None:
        """Return the last state, or None if there is none; nothing in the file is executed."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, map_location="cpu", weights_only=True)

    def remove(self) -> None:
        """Forget the run, after its outputs are written."""
        shutil.rmtree(self.folder, ignore_errors=True)
