"""Software versions and hardware of a training run, for its model card."""

import platform
from importlib.metadata import version

import torch

PACKAGES = ("torch", "open_clip_torch", "lightning_fabric", "numpy", "snakemake")


def environment(device: torch.device) -> dict[str, str]:
    """Return the versions of the libraries, and the name of the processor or GPU."""
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine() + " CPU"
    return {"device": named, "python": platform.python_version()} | {name: version(name) for name in PACKAGES}
