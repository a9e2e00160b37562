"""Which of the project's own files decide the result of a script: what it imports, directly and through others.

The workflow lists them as inputs of each rule, so that a change of the code reruns the rules it touches and no others.
"""

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
# Their values reach a rule as parameters, or they change how a job talks and not what it computes.
NOT_DECISIVE = {"fsar.config", "fsar.errors", "fsar.gpus", "fsar.job", "fsar.model.methods"}


def code_inputs(script: Path) -> list[str]:
    """Return the files of the package a script depends on, sorted; the script itself is tracked by Snakemake."""
    return sorted(str(path) for path in _reachable(script) if path != script)


@cache
def _reachable(script: Path) -> frozenset[Path]:
    found: set[Path] = set()
    pending = [script]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _imported(path)
    return frozenset(found)


@cache
def _imported(path: Path) -> list[Path]:
    """Return the modules of the package that a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    files = [PACKAGE.parent / (name.replace(".", "/") + ".py") for name in names if name.split(".")[0] == PACKAGE.name]
    decisive = {PACKAGE.parent / (name.replace(".", "/") + ".py") for name in NOT_DECISIVE}
    return [file for file in files if file.is_file() and file not in decisive]
