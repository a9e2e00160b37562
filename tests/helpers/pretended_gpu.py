"""A GPU that a CPU pretends to be: its tensors compute as ever, and refuse to meet those of main memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

GPU = torch.device("cuda", 0)
# What PyTorch has in no deterministic form on CUDA (torch.use_deterministic_algorithms), by the names of operations.
NOT_DETERMINISTIC = (
    "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "adaptive_max_pool2d_backward",
    "avg_pool3d_backward", "fractional_max_pool2d_backward", "fractional_max_pool3d_backward", "max_unpool2d",
    "max_unpool3d",
    "upsample_linear1d_backward", "upsample_bilinear2d_backward", "upsample_bicubic2d_backward",
    "upsample_trilinear3d_backward", "_upsample_bilinear2d_aa_backward", "_upsample_bicubic2d_aa_backward",
    "reflection_pad1d_backward", "reflection_pad2d_backward", "reflection_pad3d_backward", "nll_loss2d_forward",
    "nll_loss2d_backward", "_ctc_loss_backward", "put_", "histc", "grid_sampler_2d_backward",
    "grid_sampler_3d_backward", "scatter_reduce", "scatter_reduce_",
)  # fmt: skip
# What takes tensors of both: copies, and indices of main memory into a GPU's tensor.
COPIES = ("copy_", "_to_copy")
INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_")


class OnGpu(Tensor):
    """A tensor of the pretended GPU; `held` computes for it, in main memory."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnGpu":
        with _disable_current_modes(), torch.inference_mode(False):
            # To autograd it is one of the device "meta": it asks no driver for the streams of that.
            shape = torch.empty_strided(held.shape, held.stride(), dtype=held.dtype, device="meta")
        return torch.Tensor._make_subclass(cls, shape, False, device_for_backend_keys=GPU)  # type: ignore[return-value]

    def __init__(self, held: Tensor):
        self.held = held

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return GPU

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnGpu({self.held})"

    def new_tensor(self, data: Any, **options: Any) -> Tensor:  # type: ignore[override]
        return torch.tensor(data, **{"dtype": self.dtype} | options).to(GPU)

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_as_tensors(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_as_tensors(index), value if isinstance(value, Tensor) else torch.tensor(value))

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "can't convert a CUDA tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Made(TorchDispatchMode):
    """What is made on the GPU, or copied to it, from no tensor of it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():  # in which operations that consist of others are not yet taken apart
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        to = kwargs.get("device")
        if to is not None and torch.device(to).type != "cpu" and not any(issubclass(own, OnGpu) for own in types):
            return _computed(func, args, kwargs)
        return func(*args, **kwargs)


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, to = func.overloadpacket.__name__, kwargs.get("device")
    _refuse(name, args, kwargs)
    plain_args, plain_kwargs = tree_map(_held, (args, kwargs))
    if to is not None:
        plain_kwargs["device"] = torch.device("cpu")
    found = func(*plain_args, **plain_kwargs)
    if (to is not None and torch.device(to).type == "cpu") or (name == "copy_" and not isinstance(args[0], OnGpu)):
        return found
    found = tree_map(lambda each: OnGpu(each) if isinstance(each, Tensor) else each, found)
    if torch.is_inference_mode_enabled():  # which has no views to keep account of
        return args[0] if func._schema.is_mutable and isinstance(found, Tensor) else found
    return return_and_correct_aliasing(func, args, kwargs, found)


def _as_tensors(index: Any) -> tuple[Any, ...]:
    """Return an index without lists, of which PyTorch would make tensors on the device "meta"."""
    places = index if isinstance(index, tuple) else (index,)
    return tuple(torch.tensor(each) if isinstance(each, list) else each for each in places)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnGpu) else value


def _refuse(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    """Raise what CUDA would raise: tensors of both devices meet, or sums in any order where strictness is asked for."""
    if name in NOT_DETERMINISTIC and torch.are_deterministic_algorithms_enabled():
        raise RuntimeError(f"{name} does not have a deterministic implementation")
    given = tree_leaves((args, kwargs))
    if name in COPIES:
        return
    if name in INDEXED:
        if isinstance(args[0], OnGpu):  # indices of main memory are copied
            given = [args[0], *args[2:3]]
        elif any(isinstance(each, OnGpu) for each in given):
            raise RuntimeError(f"{name}: indices should be either on cpu or on the same device as the indexed tensor")
    others = [each for each in given if isinstance(each, Tensor) and not isinstance(each, OnGpu)]
    if any(isinstance(each, OnGpu) for each in given) and any(each.dim() for each in others):
        sizes = [tuple(each.shape) for each in others]
        raise RuntimeError(f"{name}: expected all tensors on the same device, but found cuda:0 and cpu, {sizes}")


@contextmanager
def pretended_gpu() -> Iterator[Callable[[Any], Any]]:
    """Have the device `GPU`; yield what moves tensors, and modules in place, to it."""

    def moved(what: Any) -> Any:
        return what.to(GPU)

    before = torch.__future__.get_overwrite_module_params_on_conversion()
    with pytest.MonkeyPatch.context() as patch, _Made():
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        lifts = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(…, device=GPU) is a copy, too
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            yield moved
        finally:
            torch._C._set_only_lift_cpu_tensors(lifts)
            torch.__future__.set_overwrite_module_params_on_conversion(before)
