"""Reading a config: the values that Snakemake merged, as one checked object."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fsar.config.check import wrong_predictions, wrong_references, wrong_settings
from fsar.config.config import Config
from fsar.config.messages import describe, message
from fsar.errors import UserError
from fsar.methods import OWN_FOLDERS
from fsar.own_methods import VARIABLE


def load(values: dict[str, Any]) -> Config:
    """Validate the merged config.

    Raises:
        UserError: one message that names every wrong key and, where there is one, the nearest valid value.
    """
    try:
        config = Config.model_validate(values, strict=True)  # a text is no number, and true is no 1
    except ValidationError as error:
        raise UserError(message(describe(problem) for problem in error.errors())) from None
    problems = [*_unknown_methods(config), *wrong_references(config), *wrong_predictions(config)]
    if not problems:
        problems = [problem for name in config.run.benchmarks for problem in wrong_settings(config, name)]
    if problems:
        raise UserError(message(problems))
    return config


def _unknown_methods(config: Config) -> Iterator[str]:
    """Name folders of own methods that this process was not told of: the workflow does, Python has to be told."""
    for folder in config.own_methods:
        if Path(folder).absolute() not in OWN_FOLDERS.values():
            yield f"own_methods names {folder}, which {VARIABLE} must name before fsar is imported"
