"""What training tells of itself: a row per optimizer step, to Parquet at the end and to TensorBoard meanwhile."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from torch.utils.tensorboard import SummaryWriter

from fsar.files import write_parquet

METRICS_SCHEMA = pa.schema(
    [
        ("iteration", pa.int32()),  # episodes trained on so far
        ("learning_rate", pa.float64()),
        ("loss", pa.float64()),  # means over the episodes of the optimizer step
        # here the terms of the loss, each without its weight: few_shot_loss, and others by the model
        ("train_accuracy", pa.float64()),
        ("gradient_norm", pa.float64()),  # of all trained parameters
        ("val_accuracy", pa.float64()),  # missing where no validation followed the step
        ("episodes_per_second", pa.float64()),  # of the step, validation not included
        ("loader_seconds", pa.float64()),  # of the step, waited for frames; near 0 if the loader keeps up
        ("gpu_memory_mb", pa.float64()),  # the most that was allocated so far; missing on a CPU
    ]
)
# What a training does to the machine; all else is the same in a run that was stopped and went on.
MACHINE_COLUMNS = ["episodes_per_second", "loader_seconds", "gpu_memory_mb"]


class Metrics:
    """The rows of a training.

    Args:
        rows: those of a run that is gone on with.
        tensorboard: folder of the curves; None writes none.
    """

    def __init__(self, rows: list[dict[str, Any]], tensorboard: Path | None):
        self.rows = rows
        self.writer = None
        if tensorboard is not None:
            # What an interrupted run wrote after its checkpoint is not shown.
            self.writer = SummaryWriter(tensorboard, purge_step=rows[-1]["iteration"] + 1 if rows else 0)

    def add(self, row: dict[str, Any]) -> None:
        """Add the row of one step."""
        self.rows.append(row)
        if self.writer is not None:
            for name, value in row.items():
                if name != "iteration" and value is not None:
                    self.writer.add_scalar(name, value, row["iteration"])

    def write(self, path: Path) -> None:
        """Write all rows as Parquet."""
        terms = [name for name in self.rows[0] if name.endswith("_loss")]
        schema = METRICS_SCHEMA
        for place, name in enumerate(terms, METRICS_SCHEMA.get_field_index("loss") + 1):
            schema = schema.insert(place, pa.field(name, pa.float64()))
        write_parquet(path, pd.DataFrame(self.rows, columns=schema.names), schema)

    def close(self) -> None:
        """Write out what TensorBoard has not yet been given."""
        if self.writer is not None:
            self.writer.close()
