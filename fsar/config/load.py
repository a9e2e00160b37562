"""Reading a config: the values that Snakemake merged, as one checked object."""

from typing import Any

from pydantic import ValidationError

from fsar.config.check import wrong_predictions, wrong_references, wrong_settings
from fsar.config.config import Config
from fsar.config.messages import describe, message
from fsar.errors import UserError


def load(values: dict[str, Any]) -> Config:
    """Validate the merged config.

    Raises:
        UserError: one message that names every wrong key and, where there is one, the nearest valid value.
    """
    try:
        config = Config.model_validate(values, strict=True)  # a text is no number, and true is no 1
    except ValidationError as error:
        raise UserError(message(describe(problem) for problem in error.errors())) from None
    problems = [*wrong_references(config), *wrong_predictions(config)]
    if not problems:
        problems = [problem for name in config.run.benchmarks for problem in wrong_settings(config, name)]
    if problems:
        raise UserError(message(problems))
    return config
