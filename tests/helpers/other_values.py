"""Another valid value of any key of the config, so that a test can change it without a list of values by hand."""

import typing
from collections.abc import Iterator

from pydantic import ValidationError

from fsar.keys.declare import Section


def another(kind: type[Section], name: str) -> object:
    """Return a valid value of a key that is not its default."""
    default = kind.model_fields[name].get_default()
    for value in _candidates(default, kind.model_fields[name].annotation):
        try:
            kind.model_validate({name: value}, strict=True)
        except ValidationError:
            continue
        if value != default:
            return value
    raise AssertionError(f"no other value of {kind.__name__}.{name} is known")


def _candidates(default: object, annotation: object) -> Iterator[object]:
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, list):
        yield _moved(default)
        yield default[:-1]
    elif isinstance(default, int | float):
        yield from (_moved(default), default / 2, default - 1)
    for part in (annotation, *typing.get_args(annotation)):
        if part is bool:
            yield False
        if part is float:
            yield 0.25
        if part is int and default is None:
            yield 1
        yield from (value for value in typing.get_args(part) if isinstance(value, str))


def _moved(value: object) -> object:
    """Return a number that is a little larger, or a list of such."""
    if isinstance(value, list):
        return [_moved(part) for part in value]
    return value + (1 if isinstance(value, int) else 0.01) if isinstance(value, int | float) else value
