"""The file of predictions: what every query of every test episode was taken for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

PREDICTIONS_SCHEMA = pa.schema(
    [
        ("episode", pa.int32()),
        ("label", pa.int16()),  # true label in the episode
        ("class_name", pa.dictionary(pa.int32(), pa.string())),  # true class
        ("predicted", pa.int16()),  # predicted label in the episode
    ]
)


def episode_accuracies(predictions: Path) -> NDArray[np.float64]:
    """Return the accuracy of each episode in a file of `evaluate_setting`: (E,)."""
    table = pd.read_parquet(predictions, columns=["episode", "label", "predicted"])
    right = table["label"] == table["predicted"]
    return right.groupby(table["episode"].to_numpy()).mean().to_numpy(np.float64)
