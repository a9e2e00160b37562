"""Folders of a user's own methods, which the package finds as it finds its own (docs/add_method.md).

They are named by an environment variable, so that jobs and their processes know them, too. The workflow sets it from
the key `own_methods`, before anything asks for a method.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from fsar.errors import UserError
from fsar.workflow_files import workflow_folder

VARIABLE = "FSAR_METHODS"
PACKAGE = Path(__file__).parent / "methods"


def announce(folders: object) -> None:
    """Name folders by the environment variable: a config's `own_methods`, which is not checked yet."""
    if isinstance(folders, list) and all(isinstance(folder, str) for folder in folders):
        os.environ[VARIABLE] = os.pathsep.join(str(placed(folder)) for folder in folders)


def placed(folder: str) -> Path:
    """Return the path of a folder that a config names: from the directory of the run, or else from the workflow's."""
    here, brought = Path(folder).absolute(), workflow_folder() / folder  # such as configs/heads_alone
    return brought if brought.is_dir() and not here.is_dir() else here


def own_folders() -> dict[str, Path]:
    """Return the folders that the environment variable names, by their names; separated as in PATH.

    Raises:
        UserError: a folder is not there, or cannot be one of a method.
    """
    named = [Path(text).absolute() for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(named):
        if problem := _problem(folder, found):
            raise UserError(f"The folder {folder} of a method of your own (own_methods, or {VARIABLE}) {problem}")
        found[folder.name] = folder
    return found


def _problem(folder: Path, others: Iterable[str]) -> str:
    if not folder.is_dir():
        return "is not there"
    if not (folder / "record.py").is_file():
        return "has no record.py (docs/add_method.md shows one)"
    if not folder.name.isidentifier():
        return "has a name that Python cannot import: name it with letters, digits and _"
    taken = {path.stem for path in PACKAGE.iterdir()}
    if folder.name in taken or folder.name in others:
        return "has a name that is taken (fsar/methods): give it another"
    return ""


def searched(path: Iterable[str], own: Mapping[str, Path]) -> list[str]:
    """Return where the modules of `fsar.methods` are: in the package, then beside each folder of a user's own."""
    return list(dict.fromkeys([*path, *(str(folder.parent) for folder in own.values())]))
