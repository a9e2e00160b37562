"""The packages of the environment that a job runs in."""

import sys
from importlib.metadata import distributions
from pathlib import Path


def installed_packages() -> list[tuple[str, str]]:
    """Return name and version of each package of this environment, sorted by name.

    A job in a conda environment sees the packages of the process that started it, too; those are not its own.
    """
    own = Path(sys.prefix).resolve()
    found = {
        (str(package.metadata["Name"]), package.version)
        for package in distributions()
        if own in Path(str(package.locate_file(""))).resolve().parents
    }
    return sorted(found, key=lambda entry: entry[0].lower())
