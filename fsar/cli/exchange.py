"""`fsar exchange`: a trained model in the parameter names of the public implementation, and back."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "exchange",
        help="rename a trained model's parameters: the public implementation's names, and back",
        description="Rename a model's parameters: from the names of the public CLIP-FSAR implementation, or to them.",
    )
    parser.add_argument("direction", choices=["from-reference", "to-reference"])
    parser.add_argument("source", type=Path, help=".safetensors, .pt or .pth")
    parser.add_argument("target", type=Path, help=".safetensors; to-reference also writes .pt and .pth")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the renamed parameters."""
    from fsar.model.exchange import exchange

    count = exchange(options.direction, options.source, options.target)
    print(f"{count} parameters written to {options.target}")
    return 0
