"""Libraries imported without PyTorch's compiler, which takes as long to import as PyTorch itself and is not used here.

torchvision imports it for one question that a single operation of detectors asks, and timm to except one function of an
encoder from it. So while libraries are imported both are put off: to when they are asked, or called.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

_NAME = "torch._dynamo.utils"


class _Compiler(ModuleType):
    """Stands for a module of the compiler; what is taken from it, but for this function, is the real module's."""

    @staticmethod
    def is_compile_supported(device: Any) -> bool:
        """Tell whether PyTorch compiles for a device, as its own function of this name."""
        return bool(importlib.import_module(_NAME).is_compile_supported(device))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _make_way()
        return getattr(importlib.import_module(_NAME), name)


def _make_way() -> None:
    if isinstance(sys.modules.get(_NAME), _Compiler):
        del sys.modules[_NAME]


def _disable_when_called(function: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """As `torch.compiler.disable`, which imports the compiler at once; `reason` is for its messages alone."""
    return torch._disable_dynamo(function, recursive)  # type: ignore[attr-defined]


@contextmanager
def compiler_apart() -> Iterator[None]:
    """Import libraries inside without the compiler, unless it is there already, or PyTorch has no way to put it off."""
    own: Callable[..., Any] | None = getattr(torch.compiler, "disable", None)
    if "torch._dynamo" in sys.modules or own is None or not hasattr(torch, "_disable_dynamo"):
        yield
        return
    sys.modules[_NAME] = _Compiler(_NAME)
    torch.compiler.disable = _disable_when_called
    try:
        yield
    finally:
        torch.compiler.disable = own
        _make_way()
