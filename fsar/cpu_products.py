"""Products of 32-bit matrices on processors of AMD, by oneDNN in place of MKL.

PyTorch multiplies 32-bit matrices by MKL, which does so at half the speed of an AMD processor with AVX-512. By its
setting for bfloat16 it asks oneDNN, which rounds to bfloat16 only where the processor multiplies tiles of that
(AMX, of Intel) and computes in 32 bits everywhere else; the sums differ in their last digits.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

CPUINFO = Path("/proc/cpuinfo")


class _InOneProduct(TorchFunctionMode):
    """A layer of rows that do not lie side by side is computed of a copy, instead of one product for each video."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.linear and args[0].dim() > 2:
            args = (args[0].contiguous(), *args[1:])
        return func(*args, **(kwargs or {}))


@contextmanager
def fast_products() -> Iterator[None]:
    """Multiply by the faster library of this processor, in this process, until the end of the block.

    For heads on stored features: attention makes its whole table there, which is small among frames, and which the
    fused operation would multiply in pieces too small for oneDNN.
    """
    settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    faster = is_amd()
    try:
        if faster:
            settings.fp32_precision = "bf16"
            faster = keeps_32_bits()
        if not faster:
            settings.fp32_precision = before
        with sdpa_kernel(SDPBackend.MATH) if faster else nullcontext(), _InOneProduct() if faster else nullcontext():
            yield
    finally:
        settings.fp32_precision = before


def is_amd() -> bool:
    """Tell whether this processor is one of AMD; as far as known, outside Linux."""
    return torch.backends.mkldnn.is_available() and CPUINFO.exists() and "AuthenticAMD" in CPUINFO.read_text()


def keeps_32_bits() -> bool:
    """Tell whether products keep digits that bfloat16 has no room for."""
    numbers = torch.full((64, 64), 1 + 2.0**-12)
    return torch.equal(numbers @ torch.eye(64), numbers)
