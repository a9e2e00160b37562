"""Parameters of rules, as Snakemake records them and shows them in a reason: short, with the key that they are of.

Snakemake compares parameters by their `repr`, and shows those that differ. So each is a value with a text of its own:
the value itself where that is short, and else a checksum of it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fsar.keys.declare import Section

ROOM = 48  # characters of a parameter: two of them, and what Snakemake says around them, are two lines of a terminal
# Parameters of a job, at most, since Snakemake takes its time for each, also for those that are none: the last one has
# all keys that are left. It is one number for a rule, whatever the config: another one would count as a change.
MOST = 40
MOST_OF_FEATURES = 24  # of the rules that encode, which fewer keys decide


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
    """Values by key."""

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


# Parameters of a rule, by name.
Parameters = dict[str, Callable[[Any], Keyed | None]]


def flat(values: Mapping[str, Any], place: str = "") -> list[Keyed]:
    """Return nested values as one for each key, with its place: {"head": {"depth": 2}} is head.depth=2."""
    found: list[Keyed] = []
    for name, value in values.items():
        whole = f"{place}{name}"
        found += flat(value, f"{whole}.") if isinstance(value, Mapping) else [Keyed(whole, value)]
    return found


def by_key(values: Callable[[Any], Mapping[str, Any]], *sections: type[Section], most: int = MOST) -> Parameters:
    """Return parameters that are one for each key, so that a reason names the key that changed.

    Snakemake compares the values of parameters as a set, without their names; those that a job has no key for are None.

    Args:
        values: nested values by wildcards.
        sections: whose keys these are.
        most: without sections, how many parameters; the last one holds the keys that are left.
    """
    most = sum(len(section.model_fields) for section in sections) or most
    found: dict[tuple[str, ...], list[Keyed]] = {}

    def parameter(number: int) -> Callable[[Any], Keyed | None]:
        def of_wildcards(wildcards: Any) -> Keyed | None:
            place = tuple(wildcards)  # their values, in the order of the rule's names
            if place not in found:
                own = flat(values(wildcards))
                left = own[most - 1 :]
                rest = Keyed("further keys", dict(left))
                found[place] = own if len(own) <= most else [*own[: most - 1], rest]
            return found[place][number] if number < len(found[place]) else None

        return of_wildcards

    return {f"key{number}": parameter(number) for number in range(most)}


def fixed(values: Mapping[str, Any]) -> Parameters:
    """Return such parameters of values that no wildcard decides, as many as there are."""
    return {f"key{number}": _always(own) for number, own in enumerate(flat(values))}


def _always(own: Keyed) -> Callable[[Any], Keyed]:
    return lambda wildcards: own
