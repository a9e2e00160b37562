"""The command `fsar` itself: its sub-commands, how they end, and how mistakes are told.

Exit codes: 0 done; 1 a mistake, told in a sentence; 2 wrong arguments; 3 done, but for clips that cannot be read.
"""

import argparse
import gc
import logging
import sys
from collections.abc import Sequence

from fsar import __version__
from fsar.cli import check, draw, exchange, export, models, predict, records, spot, workflow
from fsar.errors import UserError
from fsar.locales import take_any_text

INTERRUPTED = 130
# Each adds its own arguments, and imports what it runs only when it runs.
COMMANDS = (predict, spot, check, models, export, exchange, records, draw, workflow)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    if arguments is None:  # a program of its own
        _collect_seldom()
    given = list(sys.argv[1:] if arguments is None else arguments)
    take_any_text()
    _tell_warnings()
    try:
        options = parser().parse_args(given)
        return int(options.run(options))
    except UserError as error:
        print(f"fsar: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fsar: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments of all sub-commands."""
    whole = argparse.ArgumentParser(prog="fsar", description="Few-shot action recognition: label your own clips.")
    whole.add_argument("--version", action="version", version=__version__)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return whole


def _collect_seldom() -> None:
    """Let Python look less often for circles of objects that nobody needs.

    With PyTorch a command imports half a million objects that stay, and Python would look through all of them again and
    again: a tenth of the time to the first label.
    """
    gc.set_threshold(50_000, *gc.get_threshold()[1:])


def _tell_warnings() -> None:
    """Show warnings of this package on the terminal, and none of libraries' notes to developers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(logging.Filter("fsar"))
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
