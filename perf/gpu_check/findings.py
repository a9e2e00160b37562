"""What a part finds: rows of tables, checks and notes, written at once, so that a part that is ended keeps its own."""

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd

from fsar.files import atomic


class Findings:
    """The findings of one part.

    Args:
        folder: of all parts; a table becomes a CSV there.
        part: its name.
        seconds: the part may take.
    """

    def __init__(self, folder: Path, part: str, seconds: float):
        self.folder, self.part, self.end = folder, part, time.monotonic() + seconds
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.checks: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._write()

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()

    def row(self, table: str, **values: Any) -> None:
        """Add a row to a table."""
        rows = self.tables.setdefault(table, [])
        rows.append(values)
        pd.DataFrame(rows).to_csv(self.folder / f"{table}.csv", index=False, float_format="%.6g")
        self._tell(f"{table}: " + ", ".join(f"{key} {_short(value)}" for key, value in values.items()))

    def check(self, what: str, holds: bool, detail: str = "") -> None:
        """Record whether something that must hold does."""
        self.checks.append({"what": what, "holds": bool(holds), "detail": detail})
        self._tell(f"{'holds' if holds else 'DOES NOT HOLD'}: {what}" + (f" ({detail})" if detail else ""))

    def note(self, text: str) -> None:
        """Record something for the reader."""
        self.notes.append(text)
        self._tell(text)

    def enough(self, seconds: float, what: str) -> bool:
        """Tell whether so many seconds are left, and note what is left out if not."""
        if self.left >= seconds:
            return True
        self.note(f"Not measured, for lack of time: {what}.")
        return False

    def _tell(self, line: str) -> None:
        print(f"  [{self.part}] {line}", flush=True)
        self._write()

    def _write(self) -> None:
        values = {"tables": self.tables, "checks": self.checks, "notes": self.notes}
        with atomic(self.folder / "parts" / f"{self.part}.json") as temporary:
            temporary.write_text(json.dumps(values), encoding="utf-8")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
