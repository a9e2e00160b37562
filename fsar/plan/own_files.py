"""Files of the workflow that its configs name, found from whichever directory a run has."""

from pathlib import Path
from typing import Any

from fsar.workflow_files import workflow_folder

KEY = "descriptions"  # the key whose files the project brings (configs/demo_descriptions.csv)


def with_own_files(values: dict[str, Any], root: Path | None = None) -> dict[str, Any]:
    """Name the workflow's file where a config names one that its directory lacks; changes the config in place."""
    root = root or workflow_folder()
    for name, value in values.items():
        if isinstance(value, dict):
            with_own_files(value, root)
        elif name == KEY and isinstance(value, str) and value and not Path(value).exists() and (root / value).is_file():
            values[name] = str(root / value)
    return values
