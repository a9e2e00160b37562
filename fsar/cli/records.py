"""`fsar records`: tables from the records of several runs, and whether records hold."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command, with its own ones."""
    parser = commands.add_parser(
        "records",
        help="compare the results of several runs",
        description="A run writes results/records.json: what it measured, and by checksum from what (docs/records.md).",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    merge = actions.add_parser("merge", help="make one table and page from the records of several runs")
    merge.add_argument("files", nargs="+", type=Path, help="records.json of each run")
    merge.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for table.csv, table.md, index.html")
    merge.set_defaults(run=run_merge)
    check = actions.add_parser("check", help="compare records with the predictions they name")
    check.add_argument("file", type=Path, help="records.json")
    check.add_argument(
        "--predictions", type=Path, default=Path("results"), metavar="FOLDER",
        help="the results that the records are of (default: results)",
    )  # fmt: skip
    check.set_defaults(run=run_check)
    actions.add_parser("schema", help="print the JSON schema of the file").set_defaults(run=run_schema)


def run_merge(options: argparse.Namespace) -> int:
    """Write the table and the page."""
    from fsar.cli.options import say
    from fsar.records.fields import read_records
    from fsar.records.merge import merge_records

    rows = merge_records({str(path): read_records(path) for path in options.files}, options.out)
    say(f"Written: {options.out}/table.csv, table.md, index.html, with {rows} rows")
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Say whether every record holds.

    Raises:
        UserError: some do not; says what is wrong with each.
    """
    from fsar.errors import UserError
    from fsar.records.check import check_records
    from fsar.records.fields import read_records

    records = read_records(options.file)
    if problems := check_records(records, options.predictions):
        raise UserError(f"{options.file} does not hold:\n" + "\n".join(f"  - {problem}" for problem in problems))
    print(f"{options.file}: {len(records)} records hold: accuracies, queries, weights and checksums")
    return 0


def run_schema(options: argparse.Namespace) -> int:
    """Print the JSON schema."""
    import json

    from fsar.records.fields import schema

    print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return 0
