"""`fsar draw`: a figure of the workflow, drawn anew from the data beside it."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser("draw", help="draw a figure of the workflow from its data")
    parser.add_argument("figure", help="its kind: a file's name in fsar/results/figures/")
    parser.add_argument("data", type=Path, help=".parquet, beside the figure")
    parser.add_argument("pictures", nargs="+", type=Path, help=".pdf, .svg or .png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw it."""
    from fsar.results.figures.drawing import draw

    draw(options.figure, options.data, options.pictures)
    return 0
