"""Drawing any figure from its data: `fsar draw {figure} {data}.parquet {picture}.pdf`."""

import warnings
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fsar.files import atomic
from fsar.results.figures import style
from fsar.seal import OPEN, seal, whole


def collect(figure: str, arguments: Mapping[str, Any], path: Path) -> None:
    """Write the data of a figure.

    Args:
        figure: name of the file beside this one.
        arguments: of its `collect`.
        path: Parquet file to write.
    """
    table = import_module(f"fsar.results.figures.{figure}").collect(**arguments)
    described = pa.Table.from_pandas(table, preserve_index=False)
    with atomic(path) as temporary:
        sealed = described.replace_schema_metadata({**(described.schema.metadata or {}), "seal": OPEN})
        pq.write_table(sealed, temporary)
        seal(temporary)


def draw(figure: str, data: Path, outputs: Iterable[Path]) -> None:
    """Draw a figure from its data.

    Args:
        figure: name of the file beside this one.
        data: Parquet table that its `collect` gave.
        outputs: files to write; the suffix decides the format (pdf, svg, png).
    """
    with whole(data, foreign=True):  # whoever draws it anew may have changed it
        table = pd.read_parquet(data)
    style.apply(_texts(table))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # told once, with what to do
        drawn = import_module(f"fsar.results.figures.{figure}").draw(table)
        for path in outputs:
            with atomic(path) as temporary:
                # No dates inside: the same data gives the same bytes.
                dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(path.suffix[1:], {})
                drawn.savefig(temporary, format=path.suffix[1:], dpi=200, metadata=dates)
    plt.close(drawn)


def _texts(table: pd.DataFrame) -> set[str]:
    """Return every text in a table, and in lists in it."""
    columns = [table[name] for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    cells = [cell for column in columns for cell in column]
    lists = [cell for cell in cells if isinstance(cell, np.ndarray) and cell.dtype == object]
    return {text for text in [*cells, *(text for own in lists for text in own)] if isinstance(text, str)}
