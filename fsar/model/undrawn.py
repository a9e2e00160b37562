"""Building a model whose weights come from a file without drawing random ones first: that takes longer than reading."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# What draws in place; other functions of `nn.init` call these.
_DRAWING = {
    torch.Tensor.normal_,
    torch.Tensor.uniform_,
    nn.init.normal_,
    nn.init.uniform_,
    nn.init.kaiming_normal_,
    nn.init.kaiming_uniform_,
}


class Undrawn(TorchFunctionMode):
    """Inside, weights that would be drawn stay as their memory was: all of them are to be loaded afterwards.

    Only parameters do. Constants are set, buffers and all other tensors are drawn, for some functions draw again until
    a number lies within its bounds. Not for a model that is trained: what is drawn after it would be other numbers.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of PyTorch, unless it draws a parameter."""
        named = kwargs or {}
        if func in _DRAWING:
            tensor = args[0] if args else named["tensor"]
            if isinstance(tensor, nn.Parameter):
                return tensor
        return func(*args, **named)
