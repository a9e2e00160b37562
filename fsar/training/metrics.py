"""Metrics of training: a row per optimizer step, logged at once and written as Parquet at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from fsar.errors import UserError
from fsar.files import write_parquet
from fsar.seal import REMEDY, whole

if TYPE_CHECKING:  # it imports PyTorch, which who reads metrics does not need
    from lightning_fabric.loggers.logger import Logger

METRICS_SCHEMA = pa.schema(
    [
        ("iteration", pa.int32()),  # episodes trained on so far
        ("learning_rate", pa.float64()),
        ("loss", pa.float64()),  # means over the episodes of the optimizer step
        # here the terms of the loss, each without its weight: few_shot_loss, and others by the model
        ("train_accuracy", pa.float64()),
        ("gradient_norm", pa.float64()),  # of all trained parameters
        ("val_accuracy", pa.float64()),  # missing if no validation followed the step
        ("episodes_per_second", pa.float64()),  # of the step, without validation
        ("loader_seconds", pa.float64()),  # of the step, waited for frames; near 0 if the loader keeps up
        ("gpu_memory_mb", pa.float64()),  # most memory allocated so far; missing on a CPU
    ]
)
# Columns that depend on the machine; all others are equal in a continued run.
MACHINE_COLUMNS = ["episodes_per_second", "loader_seconds", "gpu_memory_mb"]


def read_metrics(path: Path) -> pd.DataFrame:
    """Read the rows that `write_metrics` has written.

    Raises:
        UserError: the file is not there, is damaged, or is another kind of file.
    """
    with whole(path):
        table = pd.read_parquet(path)
        missing = sorted(set(METRICS_SCHEMA.names) - set(table))
        if missing:
            raise UserError(f"{path} has no {missing[0]}, so it is not the metrics of a training. {REMEDY}.")
        return table


class Metrics:
    """The rows of a training run.

    Args:
        rows: those of a continued run so far.
        logger: gets each new row; it already has `rows`. None for no logger.
    """

    def __init__(self, rows: list[dict[str, Any]], logger: "Logger | None"):
        self.rows = rows
        self.logger = logger

    def add(self, row: dict[str, Any]) -> None:
        """Add the row of one step."""
        self.rows.append(row)
        if self.logger is not None:
            log_row(self.logger, row)

    def close(self) -> None:
        """Close the logger, which writes what it still holds."""
        if self.logger is not None:
            self.logger.finalize("success")


def log_row(logger: "Logger", row: Mapping[str, Any]) -> None:
    """Log the values of a row of metrics at its iteration."""
    values = {name: value for name, value in row.items() if name != "iteration" and value is not None}
    logger.log_metrics(values, step=row["iteration"])


def write_metrics(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows of a training as Parquet."""
    terms = [name for name in rows[0] if name.endswith("_loss")]
    schema = METRICS_SCHEMA
    for place, name in enumerate(terms, METRICS_SCHEMA.get_field_index("loss") + 1):
        schema = schema.insert(place, pa.field(name, pa.float64()))
    write_parquet(path, pd.DataFrame(rows, columns=schema.names), schema)
