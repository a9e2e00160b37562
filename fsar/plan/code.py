"""Which statements of the project decide the result of a script: its own, and those of the files that it imports.

Their checksum is a parameter of each rule, so that a change of the code reruns the rules it touches and no others.
Comments, docstrings, annotations, formatting and the order of imports do not count.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fsar.methods import OWN_FOLDERS, module_file

PACKAGE = Path(__file__).parents[1]
TEMPLATES = (".jinja", ".css", ".js")  # of pages; they lie beside the module that names them
# Packages and modules whose values reach a rule as parameters, or which change how a job talks and is stored and not
# what it computes.
NOT_DECISIVE = (
    "fsar.config",
    "fsar.disk",
    "fsar.errors",
    "fsar.files",
    "fsar.gpus",
    "fsar.job",
    "fsar.keys",
    "fsar.methods.record",
    "fsar.nodes",
    "fsar.plan",
    "fsar.seal",
    "fsar.sources.download",  # what it brings is checked, and stays
    "fsar.training.checkpoint",
    "fsar.training.environment",
    "fsar.training.loggers",
)


@cache
def code_checksum(script: Path, *further: Path) -> str:
    """Return the checksum of what a script depends on, and of further files that it imports by name."""
    return _digest(repr(sorted(code_checksums(script, *further).items())))


def code_checksums(script: Path, *further: Path) -> dict[str, str]:
    """Return the checksum of each file that a script depends on, by its path in the project.

    Where the project is no checkout, Snakemake keeps a copy of the script elsewhere.
    """
    files = {path for file in (script, *further) for path in _reachable(file)}
    return {_name(path): statements_checksum(path) for path in sorted(files)}


def _name(path: Path) -> str:
    for folder, place in OWN_FOLDERS.items():  # a user's own method may lie anywhere
        if path.is_relative_to(place):
            return f"{PACKAGE.name}/methods/{folder}/{path.relative_to(place)}"
    inside = path.is_relative_to(PACKAGE.parent)
    return str(path.relative_to(PACKAGE.parent)) if inside else f"workflow_scripts/{path.name}"


def code_inputs(script: Path) -> list[str]:
    """Return the files of the package that a script depends on, sorted, without itself."""
    return sorted(str(path) for path in _reachable(script) if path != script)


@cache
def statements_checksum(path: Path) -> str:
    """Return the checksum of a file's statements, or of a template."""
    if path.suffix != ".py":
        return _digest(path.read_text(encoding="utf-8"))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = sorted(
        ast.unparse(type(node)(**{**vars(node), "names": [alias]}))
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
    rest = [_plain(node) for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return _digest(repr((imports, [node for node in rest if node])))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    """Return a part of a syntax tree as nested tuples, without what does not act; empty for what is all of that.

    Empty fields are left out, which newer Pythons have more of.
    """
    if isinstance(value, list):
        return tuple(plain for item in value if (plain := _plain(item)) != ())
    if not isinstance(value, ast.AST):
        return value
    if isinstance(value, ast.Expr) and isinstance(value.value, ast.Constant) and isinstance(value.value.value, str):
        return ()  # a docstring, or a string that nobody reads
    if isinstance(value, ast.If) and isinstance(value.test, ast.Name) and value.test.id == "TYPE_CHECKING":
        return _plain(value.orelse)
    if isinstance(value, ast.AnnAssign):
        # In a class a name without a value is a field; elsewhere it is a note to the type checker, and harmless here.
        assigned = (("value", _plain(value.value)),) if value.value else ()
        return ("Assign", ("targets", (_plain(value.target),)), *assigned)
    fields = ((name, _plain(part)) for name, part in ast.iter_fields(value) if name not in ("returns", "annotation"))
    kept = tuple((name, part) for name, part in fields if part not in ((), None))
    return (type(value).__name__, *kept)


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
    """Return the modules of the package that a file imports, but for those that decide nothing; templates it names."""
    if path.suffix != ".py":
        return []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    files = [_file(name) for name in _imported_names(tree) if _among(name, (PACKAGE.name,)) and not _indecisive(name)]
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    files += [path.parent / name for name in strings if name.endswith(TEMPLATES)]
    return [file for file in files if file.is_file()]


def _file(name: str) -> Path:
    if name.startswith("fsar.methods."):
        return module_file(name)
    return PACKAGE.parent / (name.replace(".", "/") + ".py")


def _indecisive(name: str) -> bool:
    """Tell whether a module decides nothing by itself: those below, and records, whose values reach rules."""
    return _among(name, NOT_DECISIVE) or re.match(r"fsar\.methods\.\w+\.record\b", name) is not None


def _imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _among(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)
