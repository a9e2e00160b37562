"""Where the workflow lies: beside the package in a checkout, in the folder `workflow` of an installed package."""

from pathlib import Path

from fsar.errors import UserError

PACKAGE = Path(__file__).parent


def workflow_folder() -> Path:
    """Return the folder of the Snakefile, of config.yaml and of all that they name.

    Raises:
        UserError: the package is neither a checkout nor installed whole.
    """
    for folder in (PACKAGE / "workflow", PACKAGE.parent):
        if (folder / "Snakefile").is_file():
            return folder
    raise UserError(f"There is no workflow beside the package in {PACKAGE}: install fsar again, as a whole")


def workflow_file(name: str) -> Path:
    """Return a file of the workflow, such as Snakefile or configs/methods.yaml.

    Raises:
        UserError: there is none of this name.
    """
    path = workflow_folder() / name
    if not path.exists():
        others = sorted(f"configs/{own.name}" for own in (workflow_folder() / "configs").glob("*.yaml"))
        raise UserError(f"The workflow has no file {name}; it has Snakefile, config.yaml, {', '.join(others)}")
    return path
