"""The class of a head or of adapters, found by the name of its folder."""

from importlib import import_module
from typing import Literal, TypeVar

from fsar.errors import UserError

Base = TypeVar("Base")


def the_class(folder: str, file: Literal["head", "adapter"], kind: type[Base]) -> type[Base]:
    """Return the class of a kind that a file of a method's folder defines.

    Raises:
        UserError: it defines none, or several.
    """
    module = import_module(f"fsar.methods.{folder}.{file}")
    found = [
        own
        for own in vars(module).values()
        if isinstance(own, type) and issubclass(own, kind) and own.__module__ == module.__name__
    ]
    if len(found) != 1:
        names = ", ".join(own.__name__ for own in found) or "none"
        raise UserError(f"{module.__file__} must define one class that is a {kind.__name__}; it defines {names}")
    return found[0]
