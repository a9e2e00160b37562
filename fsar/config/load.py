"""Reading a config: the values that Snakemake merged, as one checked object."""

from typing import Any

from pydantic import ValidationError

from fsar.config.check import wrong_predictions, wrong_references, wrong_settings
from fsar.config.config import Config
from fsar.config.messages import describe, message, refuse
from fsar.errors import UserError
from fsar.methods import OWN_FOLDERS
from fsar.own_methods import VARIABLE, placed


def load(values: dict[str, Any]) -> Config:
    """Validate the merged config.

    Raises:
        UserError: one message that names every wrong key and, where there is one, the nearest valid value.
    """
    refuse(_untold_methods(values.get("own_methods")))
    try:
        config = Config.model_validate(values, strict=True)  # a text is no number, and true is no 1
    except ValidationError as error:
        raise UserError(message(describe(problem) for problem in error.errors())) from None
    refuse([*wrong_references(config), *wrong_predictions(config)])
    refuse(problem for name in config.run.benchmarks for problem in wrong_settings(config, name))
    return config


def _untold_methods(folders: object) -> list[str]:
    """Name folders of own methods that this process does not know: the workflow tells it, Python has to be told."""
    named = [folder for folder in folders if isinstance(folder, str)] if isinstance(folders, list) else []
    return [
        f"own_methods names {folder}, which {VARIABLE} must name before fsar is imported"
        for folder in named
        if placed(folder) not in OWN_FOLDERS.values()
    ]
