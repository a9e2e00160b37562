"""The tables of docs/methods.md, from the records of models and methods."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fsar.methods import METHODS, Components, Method

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
BEGIN = "<!-- From the records of fsar/methods/ by `make docs`; do not edit. -->"
END = "<!-- Up to here. -->"
DECIDES = {"few-shot": "support", "text": "class names", "both": "both"}


def page() -> str:
    """Return docs/methods.md with its tables made anew."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.split(END)[1]}"


def tables() -> str:
    """Return, as Markdown, what each method is and needs, and what its public code is."""
    what = [
        [f"`{name}`", _head(method.components), _needs(method), _trains(name, method), *_decides(method)]
        for name, method in METHODS.items()
    ]
    sources: dict[tuple[str, ...], list[str]] = {}
    for name, method in METHODS.items():
        if method.code:
            told = (method.code, method.code_selection, method.deviations or "nowhere that is known")
            sources.setdefault(told, []).append(f"`{name}`")
    code = [[", ".join(names), *told] for told, names in sources.items()]
    return "\n\n".join(
        [
            _table(["method", "head", "looks at", "trains", "decides by", "inductive"], what),
            _table(["method", "public code", "weights that code reports", "where it differs by default"], code),
        ]
    )


def _head(parts: Components) -> str:
    """Say what turns features into logits, with the settings that the model fixes."""
    return " ".join([f"`{parts.head}`", *(f"({name}: {_shown(value)})" for name, value in parts.fixed)])


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _needs(method: Method) -> str:
    parts = method.components
    named = {
        parts.needs: True,
        "pixels in training": parts.needs_pixels,
        "text": method.reads_text,
    }
    return ", ".join(part for part, there in named.items() if there)


def _trains(name: str, method: Method) -> str:
    """Say what is trained: of several methods with one model, the first is named."""
    first = next(other for other, record in METHODS.items() if record.model == method.model)
    parts = method.components
    return f"as `{first}`" if parts.trained and first != name else parts.trains


def _decides(method: Method) -> list[str]:
    return [DECIDES[method.decides_by], "yes" if method.inductive else "no"]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
