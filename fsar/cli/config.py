"""`fsar config`: what is generated from the keys of the config and the records of methods."""

import argparse


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser("config", help="print the config's JSON schema, or the table of its keys")
    parser.add_argument(
        "what",
        choices=["schema", "docs", "methods"],
        help="the JSON schema of config.yaml, or docs/config.md; methods writes the tables in docs/methods.md anew",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print or write it."""
    from fsar.config.document import generate

    generate(options.what)
    return 0
