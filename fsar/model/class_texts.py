"""What the text encoder reads of each class: templates, filled with its name and with descriptions of it."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from fsar.class_names import one_spelling
from fsar.config import TextConfig
from fsar.csv_rows import read_rows
from fsar.errors import UserError
from fsar.lists import some_of


def class_texts(class_names: Sequence[str], config: TextConfig) -> list[list[str]]:
    """Return the texts of each class.

    A template that holds {description} gives a text for each description of the class, any other one gives one.

    Args:
        class_names: in any spelling.
        config: templates, and the file of descriptions if there is one.

    Raises:
        UserError: the file cannot be used, or lacks a class.
    """
    described = read_descriptions(config.descriptions) if config.descriptions else {}
    if config.descriptions:
        check_descriptions(config.descriptions, class_names)
    return [
        list(
            dict.fromkeys(
                template.format(class_name=name, description=sentence)
                for template in config.templates
                for sentence in described.get(name, [""])
            )
        )
        for name in map(one_spelling, class_names)
    ]


def check_descriptions(file: str, class_names: Iterable[str]) -> None:
    """Check that every class is described.

    Raises:
        UserError: naming the classes that are not, and the file.
    """
    missing = sorted(set(map(one_spelling, class_names)) - set(read_descriptions(file)))
    if missing:
        shown = some_of([repr(name) for name in missing])
        raise UserError(f"{file} (key text.descriptions) has no description of class {shown}")


@cache
def read_descriptions(file: str) -> dict[str, list[str]]:
    """Read the descriptions of classes, each in one spelling, in the order of the file.

    Args:
        file: a CSV with the columns class and description, a row per description; or JSON, an object with a sentence or
            a list of sentences for each class.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    path = Path(file)
    try:
        if path.suffix.lower() != ".json":
            return _of_csv(path)
        return _of_json(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, UserError) as error:
        raise UserError(f"The descriptions {file} (key text.descriptions) cannot be read: {error}") from None


def _of_json(content: object) -> dict[str, list[str]]:
    if not isinstance(content, dict):
        raise ValueError("it is not an object with classes as keys")
    found = {name: [own] if isinstance(own, str) else own for name, own in content.items()}
    for name, own in found.items():
        if not isinstance(own, list) or not own or not all(isinstance(text, str) and text.strip() for text in own):
            raise ValueError(f"class {name!r} must have a sentence, or a list of them")
    together: dict[str, list[str]] = {}
    for name, own in found.items():
        together.setdefault(one_spelling(name), []).extend(own)
    return together


def _of_csv(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in read_rows(path, ("class", "description"), what="file of descriptions"):
        for name, value in row.values.items():
            if not value.strip():
                raise UserError(f"line {row.line}: {name} is empty")
        found.setdefault(one_spelling(row.values["class"]), []).append(row.values["description"].strip())
    return found
