"""Whether a config file can be read as YAML, asked before Snakemake reads it, which would answer with a traceback."""

from pathlib import Path

import yaml

from fsar.errors import UserError


def check_readable(file: Path) -> None:
    """Check a file that Snakemake is to read; what is wrong with the YAML itself, Snakemake tells.

    Raises:
        UserError: it cannot be opened, is no UTF-8, or has an anchor that holds itself.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"The config file {file} cannot be read: {error.strerror}") from None
    try:
        top = yaml.compose(content.decode("utf-8"), yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"The config file {file} is not UTF-8 in line {line}: save it in this encoding") from None
    except yaml.YAMLError:
        return
    if place := _within_itself(top, {}):
        raise UserError(f"The config file {file} has an anchor that holds itself, at {place}: write its values out")


def _within_itself(node: yaml.Node | None, above: dict[int, str]) -> str:
    """Return where a node holds itself; nothing if none does."""
    if id(node) in above:
        return above[id(node)]
    if not isinstance(node, yaml.CollectionNode):
        return ""
    parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
    inside = above | {id(node): f"line {node.start_mark.line + 1}"}
    return next((found for part in parts if (found := _within_itself(part, inside))), "")
