"""`fsar workflow`: where the workflow of this installation lies, for Snakemake."""

import argparse


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "workflow",
        help="tell where the workflow lies",
        description=(
            "Print where the workflow of this installation lies. Snakemake runs it from any folder: "
            'snakemake --cores 2 --snakefile "$(fsar workflow --path)"'
        ),
    )
    parser.add_argument(
        "--path",
        nargs="?",
        const="Snakefile",
        default="Snakefile",
        metavar="FILE",
        help="the path of a file of the workflow, such as configs/methods.yaml (default: Snakefile)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the path."""
    from fsar.workflow_files import workflow_file

    print(workflow_file(options.path))
    return 0
