"""The GPU that is looked at; or a CPU that pretends to be one, so that every line can be rehearsed."""

import os
import platform
import time
from collections.abc import Callable
from typing import Any

import torch


class Device:
    """A device and what only a GPU has.

    Args:
        name: cuda or cpu.
    """

    def __init__(self, name: str):
        self.name, self.torch = name, torch.device(name)
        self.is_gpu = name == "cuda"

    def synchronise(self) -> None:
        """Wait until the device has done what it was given."""
        if self.is_gpu:
            torch.cuda.synchronize()

    def seconds(self, function: Callable[[], Any]) -> float:
        """Return how long a call takes, until the device has done what it was given."""
        self.synchronise()
        started = time.perf_counter()
        function()
        self.synchronise()
        return time.perf_counter() - started

    def allocated(self) -> int:
        """Return the bytes of all tensors on the device; 0 on a CPU."""
        self.synchronise()
        return torch.cuda.memory_allocated() if self.is_gpu else 0

    def peak(self, function: Callable[[], Any]) -> int:
        """Return the most bytes that tensors took during a call; 0 on a CPU."""
        if not self.is_gpu:
            function()
            return 0
        torch.cuda.reset_peak_memory_stats()
        function()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()

    def empty_cache(self) -> None:
        """Give memory back that no tensor uses."""
        if self.is_gpu:
            torch.cuda.empty_cache()

    def graph(self, function: Callable[[], None]) -> Callable[[], None]:
        """Record what a call gives to the GPU, and return what gives it again as it was; on a CPU the call itself.

        Its tensors must lie where they lay, and nothing in it may wait for the GPU.
        """
        if not self.is_gpu:
            return function
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):  # what is made once must be there before
            for _ in range(3):
                function()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            function()
        return graph.replay

    def facts(self) -> dict[str, str]:
        """Describe the machine: device, memory, driver and versions."""
        found = {"python": platform.python_version(), "torch": torch.__version__, "cores": str(os.cpu_count())}
        if not self.is_gpu:
            return {"device": platform.machine() + " CPU"} | found
        about = torch.cuda.get_device_properties(0)
        return {
            "device": about.name,
            "memory": f"{about.total_memory / 1e9:.1f} GB",
            "compute capability": f"{about.major}.{about.minor}",
            "CUDA": str(torch.version.cuda),
            "cuDNN": str(torch.backends.cudnn.version()),
            "UUID": str(about.uuid),
        } | found
