"""`fsar models`: the trained models that are there."""

import argparse
from pathlib import Path

from fsar.cli.options import say


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "models", help="list trained models", description="List the trained models below folders, and what they know."
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[Path("results/models")], help="(default: results/models)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a line per model."""
    from fsar.errors import UserError
    from fsar.predict.folder import WEIGHTS
    from fsar.predict.settings import read_settings

    found = sorted({path.parent for folder in options.folders for path in folder.rglob(WEIGHTS)})
    for folder in found:
        try:
            settings = read_settings(folder)
            print(f"{folder}: {settings.method}, {settings.knows}")
        except UserError as error:
            print(f"{folder}: {error}")
    if not found:
        say(f"There is no trained model below {', '.join(map(str, options.folders))}.")
    say(
        "Without a trained model: --model ARCHITECTURE --weights TAG-OR-FILE takes any CLIP of open_clip as it is "
        "(default: ViT-B-16 with OpenAI's weights, fetched on first use)."
    )
    return 0
