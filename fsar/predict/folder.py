"""The folder of a trained model: the workflow's own, or an exported one. Light, so that a run is planned quickly."""

from pathlib import Path

from fsar.errors import UserError

WEIGHTS = "model.safetensors"
# What describes the model: of a training of the workflow, or of an exported one.
TRAINING, EXPORTED = "training.json", "config.json"


def describing_file(folder: Path) -> Path:
    """Return the file that describes the model in a folder.

    Raises:
        UserError: it is no model's folder.
    """
    described = next((folder / name for name in (EXPORTED, TRAINING) if (folder / name).is_file()), None)
    if described is None or not (folder / WEIGHTS).is_file():
        raise UserError(
            f"{folder} is no model's folder: it lacks {WEIGHTS if described else f'{TRAINING} or {EXPORTED}'}. "
            "`fsar models` lists those that are there"
        )
    return described
