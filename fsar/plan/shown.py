"""Parameters of rules, as Snakemake records them and shows them in a reason: short, with the key that they are of.

Snakemake compares parameters by their `repr`, and shows those that differ. So each is a value with a text of its own:
the value itself where that is short, and else a checksum of it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fsar.keys.declare import Section, decided_by

ROOM = 48  # characters of a parameter: two of them, and what Snakemake says around them, are two lines of a terminal
# Between the section and the key, in the name of a parameter.
OF = "__"


def shown(name: str, value: Any) -> str:
    """Return the text of a named value."""
    text = repr(value)
    room = ROOM - len(name) - 1
    return f"{name}={text}" if len(text) <= room else f"{name}={hashlib.sha256(text.encode()).hexdigest()[:12]}"


class Keyed(NamedTuple):
    """The value of one key."""

    key: str
    value: Any

    def __repr__(self) -> str:
        return shown(self.key, self.value)


class Text(str):
    """A text that is too long for a reason."""

    __slots__ = ()

    def __repr__(self) -> str:
        return shown("text", str(self))


class Values(dict[str, Any]):
    """Values by key.

    Args:
        name: what they are of.
        values: the values.
    """

    def __init__(self, name: str = "", values: Mapping[str, Any] | None = None):
        super().__init__(values or {})
        self.name = name

    def __repr__(self) -> str:
        return shown(self.name, {key: self[key] for key in sorted(self)})


class Rows(list[Any]):
    """Values in order; arguments as of `Values`. A rule is to give them by a function: Snakemake copies other lists."""

    def __init__(self, name: str = "", values: Iterable[Any] = ()):
        super().__init__(values)
        self.name = name

    def __repr__(self) -> str:
        return shown(self.name, list(self))


def by_key(
    section: str, kind: type[Section], stage: str, values: Callable[[Any], Mapping[str, Any]]
) -> dict[str, Callable[[Any], Keyed | None]]:
    """Return a parameter for each key of a section that decides a stage, so that a reason names the key that changed.

    Args:
        section, kind: its name and its class.
        stage: the rule.
        values: the section's decisive values by wildcards.
    """
    found: dict[tuple[tuple[str, str], ...], Mapping[str, Any]] = {}

    def parameter(key: str) -> Callable[[Any], Keyed | None]:
        def of_wildcards(wildcards: Any) -> Keyed | None:
            place = tuple(wildcards.items())
            if place not in found:
                found[place] = values(wildcards)
            own = found[place]
            return Keyed(f"{section}.{key}", own[key]) if key in own else None

        return of_wildcards

    keys = (key for key in kind.model_fields if stage in (decided_by(kind, key) or ()))
    return {f"{section}{OF}{key}": parameter(key) for key in keys}


def values_of(params: Any, section: str) -> dict[str, Any]:
    """Return the values of a section from the parameters of a job that `by_key` has given it."""
    own = {name: value for name, value in params.items() if name.startswith(section + OF)}
    return {name.removeprefix(section + OF): value.value for name, value in own.items() if value is not None}
