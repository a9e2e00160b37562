"""`fsar export`: a model's folder that travels."""

import argparse
from pathlib import Path

from fsar.cli.options import add_model_choice, model, say


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "export",
        help="write a model's folder for a hub",
        description="Write a model with everything it needs, in the layout of model hubs: model.safetensors, "
        "config.json, README.md and LICENSE. Nothing is uploaded.",
    )
    parser.add_argument("model", help="a trained model's folder, or an architecture of open_clip")
    parser.add_argument("folder", type=Path, help="to write")
    add_model_choice(parser)
    parser.add_argument("--licence", help="terms of the weights (default: those that the model's card names)")
    parser.set_defaults(run=run, device="cpu", threads=None)


def run(options: argparse.Namespace) -> int:
    """Write the folder."""
    from fsar.predict.export import CARD, export_model

    loaded = model(options)
    export_model(loaded.model, options.folder, Path(options.model) / CARD, options.licence)
    say(f"Written: {options.folder}, for FewShotClassifier.load and `fsar predict --model {options.folder}`")
    return 0
