"""Which of the project's own files decide the result of a script: what it imports, directly and through others.

Their checksum is a parameter of each rule, so that a change of the code reruns the rules it touches and no others, and
a file that is only touched reruns none.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
# Their values reach a rule as parameters, or they change how a job talks and not what it computes.
NOT_DECISIVE = {"fsar.config", "fsar.errors", "fsar.gpus", "fsar.job", "fsar.model.methods"}


def code_inputs(script: Path) -> list[str]:
    """Return the files of the package a script depends on, sorted; the script itself is tracked by Snakemake."""
    return sorted(str(path) for path in _reachable(script) if path != script)


@cache
def code_checksum(script: Path, *further: Path) -> str:
    """Return the checksum of the code that a script depends on, and of further files that it imports by name.

    The script's own contents do not count: Snakemake tracks them.
    """
    files = {Path(path) for file in (script, *further) for path in code_inputs(file)} | set(further)
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


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
