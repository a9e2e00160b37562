"""Keys that a config file has twice: YAML takes the last of them and says nothing."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from fsar.config.messages import refuse


def check_written_once(files: Iterable[Path]) -> None:
    """Check that no file of a config has a key twice in one section.

    Raises:
        UserError: naming the file, the key and its lines.
    """
    refuse(problem for file in files for problem in _written_twice(file))


def _written_twice(file: Path) -> Iterator[str]:
    try:
        top = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return  # Snakemake has read it, in whatever way it does
    pending: list[tuple[str, yaml.Node | None]] = [("", top)]
    seen: set[int] = set()
    while pending:
        place, node = pending.pop()
        if node is None or id(node) in seen:  # an anchor, which may stand in itself
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += [(f"{place}{number}.", part) for number, part in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines and name != "<<":
                both = f"lines {lines[name]} and {line}"
                yield f"{file}: {place}{name} is written twice, in {both}; leave one of them out"
            lines[name] = line
            pending.append((f"{place}{name}.", value))
