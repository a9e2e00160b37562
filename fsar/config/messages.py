"""What is said of a wrong config: the key, and the nearest valid value."""

import difflib
from collections.abc import Iterable
from math import isfinite
from typing import Any, get_args, get_origin

from fsar.config.config import Config
from fsar.config.source import SOURCES
from fsar.errors import UserError
from fsar.keys.declare import Section

# What a key holds, in words.
KINDS = {
    "int_type": "a whole number", "float_type": "a number", "bool_type": "true or false", "string_type": "text",
}  # fmt: skip


def message(problems: Iterable[str]) -> str:
    """Put all problems of a config into one message."""
    lines = list(dict.fromkeys(problems))
    return "The config cannot be run:\n" + "\n".join(f"  - {line}" for line in lines)


def refuse(problems: Iterable[str]) -> None:
    """Raise all problems of a config in one UserError, if there are any."""
    if found := list(problems):
        raise UserError(message(found))


def nearest(value: object, valid: Iterable[object]) -> str:
    """Say what was probably meant."""
    names = sorted(str(name) for name in valid)
    close = difflib.get_close_matches(str(value), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(names)}"


def describe(problem: Any) -> str:
    """Turn one of Pydantic's errors into a sentence with the key and the nearest valid value."""
    # The kind of a source is part of Pydantic's location, though not of the config's.
    before = ("", *problem["loc"])
    location = [part for last, part in zip(before, problem["loc"], strict=False) if last != "source"]
    where = ".".join(str(part) for part in location) or "config"
    context = problem.get("ctx", {})
    given = problem.get("input")
    match problem["type"]:
        case "extra_forbidden":
            parent = _section_at(problem["loc"][:-1])
            known = list(parent.model_fields) if parent else []
            return f"unknown key {where}; {nearest(location[-1], known)}"
        case "missing":
            return f"{where} is missing"
        case "literal_error" | "enum":
            valid = [part.strip(" '") for part in context["expected"].replace(" or ", ", ").split(",")]
            return f"{where} is {given!r}; {nearest(given, valid)}"
        case "union_tag_invalid":
            valid = [part.strip(" '") for part in context["expected_tags"].split(",")]
            return f"{where}.kind is {context['tag']!r}; {nearest(context['tag'], valid)}"
        case "union_tag_not_found":
            return f"{where}.kind is missing"
        case "greater_than_equal":
            return f"{where} is {given!r}; the nearest valid value is {context['ge']}"
        case "less_than_equal":
            return f"{where} is {given!r}; the nearest valid value is {context['le']}"
        case "greater_than":
            return f"{where} is {given!r}; it must be greater than {context['gt']}"
        case "less_than":
            return f"{where} is {given!r}; it must be less than {context['lt']}"
        case "finite_number":
            return f"{where} is {given!r}; it must be a finite number"
        case "int_type" | "float_type" | "bool_type" | "string_type":
            return f"{where} is {given!r}; it must be {KINDS[problem['type']]}{_meant(given, problem['type'])}"
        case "string_pattern_mismatch" if "https" in context["pattern"]:
            return f"{where} is {given!r}; it must be a URL that begins with http:// or https://"
        case "string_pattern_mismatch" if "sha256" in where:
            return f"{where} is {given!r}; it must be 64 hexadecimal digits"
        case "string_pattern_mismatch":
            return f"{where}: the name {given!r} may hold only letters, digits, '-', '.' and single '_'"
        case "model_type" | "model_attributes_type" | "dict_type":
            return (
                f"{where} must be a section of keys, not {given!r} "
                "(nested values given to --config become text: use a file and --configfile)"
            )
        case "value_error":
            return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{where} is {given!r}: {problem['msg']}"


def _meant(given: object, problem: str) -> str:
    """Say what was probably meant by a value of another kind."""
    if problem == "string_type":
        return f": write '{given}', in quotation marks" if isinstance(given, int | float) else ""
    if problem == "bool_type" or not isinstance(given, str):
        return ""
    try:
        number = float(given)
    except ValueError:
        return ""
    if not isfinite(number):
        return ""
    if problem == "int_type":
        return f", not text: write {int(number)}" if number.is_integer() else ""
    return f", not text: write {_as_yaml(given)}"


def _as_yaml(number: str) -> str:
    """Return a number as YAML 1.1 takes it for one: with an exponent it has a dot and a sign, and 1e-4 is text."""
    mantissa, _, exponent = number.strip().lower().partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"


def _section_at(location: Iterable[Any]) -> type[Section] | None:
    """Follow a location of Pydantic's to its section, to know the valid keys there."""
    found: Any = Config
    for part in location:
        if get_origin(found) is list:  # an entry by number
            found = get_args(get_args(found)[0])[0]
        elif get_origin(found) is dict:  # an entry by name
            found = get_args(found)[1]
        elif part in SOURCES and not isinstance(found, type):  # which kind of source
            found = SOURCES[part]
        else:
            found = found.model_fields[part].annotation
    return found if isinstance(found, type) and issubclass(found, Section) else None
