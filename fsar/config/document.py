"""What is generated: the JSON schema of config.yaml and docs/config.md, from the declared keys; docs/methods.md."""

import io
import json
import sys
from typing import Any

from fsar.config import methods_page
from fsar.config.config import Config


def schema() -> dict[str, Any]:
    """Return the JSON schema of config.yaml."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


MAKES_AGAIN = (
    "*Makes again* names the rules whose results a key decides. What is made from those follows: another learning rate",
    "makes the models again, then their features, tests and tables. Keys with *nothing* say only how a job is run, or",
    "where a file is that is fetched once. A value that equals its default leaves no trace. `write_index`, which",
    "prints the config, follows every key that decides anything.",
)
DIRECTORY = (
    "Relative paths are below the directory of the run. All runs of one directory share its `data/` and `results/`:",
    "what two configs make under one name, the later run replaces. `--directory studies/mine` gives a study its own.",
)


def documentation() -> str:
    """Return the table of all keys as Markdown."""
    lines = [
        "# Configuration keys",
        "",
        "Generated from `fsar/config/` by `make docs`; do not edit.",
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
            "| key | default | unit | valid | makes again | meaning |",
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


def generate(what: str) -> None:
    """Print what is generated, or write it.

    Args:
        what: schema, the JSON schema of config.yaml; docs, docs/config.md; or methods, which puts the tables of
            docs/methods.md into it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what is printed is a file
    if what == "methods":
        methods_page.PAGE.write_text(methods_page.page(), encoding="utf-8")
    else:
        print(json.dumps(schema(), indent=2, ensure_ascii=False) if what == "schema" else documentation())
