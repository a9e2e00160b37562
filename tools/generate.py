"""What is generated: the JSON schema of config.yaml and docs/config.md, from declared keys; docs/methods_table.md."""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fsar.config import Config
from fsar.methods import METHODS, Components, Method
from fsar.timm_facts import FILE


def schema() -> dict[str, Any]:
    """Return the JSON schema of config.yaml."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


MAKES_AGAIN = (
    "The column *recomputes* names the rules whose results a key decides. When you change the key, these rules run",
    "again, and then everything that is made from their results: another learning rate trains the models again, and",
    "then makes their features, tests and tables again. Keys with *nothing* only say how a job is run, or where a file",
    "comes from that is downloaded once. A value that equals its default has no effect. The rule `write_index`, which",
    "prints the config, runs again after a change of any key that decides something.",
)
DIRECTORY = (
    "Relative paths are relative to the directory of the run. All runs in one directory share its `data/` and",
    "`results/`, and a later run replaces what an earlier one made under the same name. So give each study a directory",
    "of its own: `--directory studies/mine`.",
)


def documentation() -> str:
    """Return the table of all keys as Markdown."""
    lines = [
        "# Configuration keys",
        "",
        "Every key of `config.yaml` and of the files in `configs/`, by section. Generated from `fsar/config/` by",
        "`make docs`; do not edit.",
        "",
        *MAKES_AGAIN,
        "",
        *DIRECTORY,
        "",
    ]
    definitions = schema()
    for name, part in [("config.yaml", definitions), *sorted(definitions["$defs"].items())]:
        lines += [
            f"## {name}",
            "",
            part.get("description", ""),
            "",
            "| key | default | unit | valid | recomputes | meaning |",
        ]
        lines += ["|---|---|---|---|---|---|"]
        for field, value in part["properties"].items():
            default = value.get("default", "required" if field in part.get("required", []) else "")
            shown = "see its section" if isinstance(default, dict) else f"`{json.dumps(default, ensure_ascii=False)}`"
            shown = default if default == "required" else shown
            cells = [f"`{field}`", shown, value.get("unit", ""), _range(value), _makes_again(value)]
            cells.append(value.get("description", ""))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _makes_again(value: dict[str, Any]) -> str:
    if "makes_again" not in value:
        return "see its section"
    return ", ".join(f"`{rule}`" for rule in value["makes_again"]) or "nothing"


def _range(value: dict[str, Any]) -> str:
    """Say what a key accepts, from its JSON schema."""
    if "$ref" in value:
        return value["$ref"].rsplit("/", 1)[-1]
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{option}`" for option in value["enum"])
    if alternatives := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(_range(option) for option in alternatives)
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = " and ".join(f"{sign} {value[name]}" for name, sign in bounds.items() if name in value)
    kind = value.get("type", "")
    if kind == "array":
        return f"list of {_range(value['items'])}"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"{_range(value['additionalProperties'])} by name"
    return f"{kind} {limits}".strip()


PAGE = Path(__file__).parents[1] / "docs" / "methods_table.md"
DECIDES = {"few-shot": "support", "text": "class names", "both": "both"}
COLUMNS = """\
- *Head*: the folder in `fsar/methods/` that holds its code, and the settings that the method fixes.
- *Looks at*: what the backbone gives the head. *Frames* are one feature vector per frame; *unprojected*, the same
  before the projection into the joint space of images and texts; *maps*, the last feature map before pooling (for a
  ViT its grid of patches); *tokens*, those of chosen layers of a ViT; *pixels*, if a loss uses them; *text*, the
  features of the class names. Not every backbone has them all: [methods.md](methods.md#which-backbones-fit).
- *Trains*: nothing; the head on a frozen backbone; adapters in a frozen backbone, and the head; or the visual encoder,
  and the head.
- *Decides by*: the support, the class names, or both.
- *Inductive*: yes if the label of a query does not depend on the other queries of its episode."""


def page() -> str:
    """Return docs/methods_table.md."""
    return "\n\n".join(
        [
            "# All methods in one table",
            "Generated from the records in `fsar/methods/` by `make docs`; do not edit. What the methods are, and how "
            "they compare on the demo, is in [methods.md](methods.md).",
            "## Methods",
            tables(),
            "The columns:",
            COLUMNS,
            "## Public code, and where the method differs from it",
            "Line numbers are those of the public repositories.",
            f"{public_codes()}\n",
        ]
    )


def tables() -> str:
    """Return a table, as Markdown, of what each method is and needs."""
    rows = [
        [f"`{name}`", _head(method.components), _needs(method), _trains(name, method), *_decides(method)]
        for name, method in METHODS.items()
    ]
    return _table(["method", "head", "looks at", "trains", "decides by", "inductive"], rows)


def public_codes() -> str:
    """Return a list, as Markdown, of the public code of each method that has one; methods of one code together."""
    sources: dict[tuple[str, str, str], list[str]] = {}
    for name, method in METHODS.items():
        if method.code:
            told = (method.code, method.code_selection, method.deviations or "nowhere that is known")
            sources.setdefault(told, []).append(f"`{name}`")
    return "\n".join(
        f"- **{', '.join(names)}**: {code}.\n"
        f"    - Weights that the code reports: {weights}.\n"
        f"    - Differs here: {differs}."
        for (code, weights, differs), names in sources.items()
    )


def _head(parts: Components) -> str:
    """Say what turns features into logits, with the settings that the model fixes."""
    own = [*parts.fixed, *([("unknown", parts.unknown)] if parts.unknown else [])]
    return " ".join([f"`{parts.head}`", *(f"({name}: {_shown(value)})" for name, value in own)])


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _needs(method: Method) -> str:
    parts = method.components
    named = {parts.needs: True, "pixels in training": parts.needs_pixels, "text": method.reads_text}
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


def main() -> None:
    """Print what is generated, or write it: `methods` writes docs/methods_table.md, `timm` the table of timm."""
    parser = argparse.ArgumentParser("python -m tools.generate", description=__doc__)
    parser.add_argument("what", choices=["schema", "docs", "methods", "timm"])
    what = parser.parse_args().what
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what is printed is a file
    if what == "timm":
        from tools.timm_table import timm_table  # takes seconds, with PyTorch

        FILE.write_text(timm_table(), encoding="utf-8")
    elif what == "methods":
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(json.dumps(schema(), indent=2, ensure_ascii=False) if what == "schema" else documentation())


if __name__ == "__main__":
    main()
