"""Which statements of the project decide the result of a script: its own, and those of the files that it imports.

Their checksum is a parameter of each rule, so that a change of the code reruns the rules it touches and no others.
Comments, docstrings, annotations, formatting and the order of imports do not count.
"""

import ast
import hashlib
import re
from functools import cache
from pathlib import Path

from fsar.methods import OWN_FOLDERS, module_file

PACKAGE = Path(__file__).parents[1]
ANNOTATIONS = ("returns", "annotation")
TEMPLATES = (".jinja", ".css", ".js")  # of pages; they lie beside the module that names them
# Packages and modules whose values reach a rule as parameters, or which change how a job talks and is stored and not
# what it computes.
NOT_DECISIVE = (
    "fsar.compiler_apart",
    "fsar.config",
    "fsar.disk",
    "fsar.errors",
    "fsar.files",
    "fsar.freed_memory",
    "fsar.gpus",
    "fsar.job",
    "fsar.keys",
    "fsar.methods.record",
    "fsar.methods.settings",
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


def statements_checksum(path: Path) -> str:
    """Return the checksum of a file's statements, or of a template."""
    return _read(path)[0]


@cache
def _read(path: Path) -> tuple[str, list[Path]]:
    """Return the checksum of a file, and the modules of the package that it imports and the templates that it names."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return _digest(text), []
    tree = ast.parse(text)
    return _digest(repr(_statements(tree))), _imported(tree, path.parent)


def _statements(tree: ast.Module) -> tuple[list[str], list[object]]:
    imports = sorted(
        ast.unparse(type(node)(**{**vars(node), "names": [alias]}))
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
    rest = [_plain(node) for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return imports, [node for node in rest if node]


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
    fields = ((name, _plain(getattr(value, name, None))) for name in value._fields if name not in ANNOTATIONS)
    return (type(value).__name__, *[field for field in fields if field[1] is not None and field[1] != ()])


@cache
def _reachable(script: Path) -> frozenset[Path]:
    found: set[Path] = set()
    pending = [script]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _read(path)[1]
    return frozenset(found)


def _imported(tree: ast.Module, folder: Path) -> list[Path]:
    """Return the modules of the package that a file imports, but for those that decide nothing; templates it names."""
    files = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(TEMPLATES):
            files.append(folder / node.value)
        files += [_file(name) for name in _names(node) if _among(name, (PACKAGE.name,)) and not _indecisive(name)]
    return [file for file in files if file.is_file()]


def _file(name: str) -> Path:
    if name.startswith("fsar.methods."):
        return module_file(name)
    return PACKAGE.parent / (name.replace(".", "/") + ".py")


def _indecisive(name: str) -> bool:
    """Tell whether a module decides nothing by itself: those below, and records, whose values reach rules."""
    return _among(name, NOT_DECISIVE) or re.match(r"fsar\.methods\.\w+\.record\b", name) is not None


def _names(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports; for `from a import b` both a and a.b."""
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def _among(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)
