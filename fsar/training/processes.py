"""The processes of a training: one per device, each with its share of the work, all with the same results."""

import math

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor

from fsar.config import TrainingConfig


def start_processes(config: TrainingConfig, device: str) -> Fabric:
    """Start the processes of a training: this one, and one more for every further device.

    The others run the same script again, from its first line; see `fsar.job.is_first_process`.

    Args:
        config: its devices, precision, threads and workers.
        device: auto, cpu or cuda.
    """
    several = config.devices > 1
    fabric = Fabric(
        accelerator=device,
        devices=config.devices,
        # Statistics of BatchNorm are added up at the end of a step, not copied from the first process before each pass.
        strategy=DDPStrategy(broadcast_buffers=False) if several else "auto",
        precision=config.precision,
        plugins=[LightningEnvironment()],  # in a job of a cluster too, this process starts the others itself
    )
    if several:
        fabric.launch()
    if fabric.device.type == "cpu":
        torch.set_num_threads((config.threads - config.workers) // config.devices)
    return fabric


def share(total: int, fabric: Fabric) -> range:
    """Return which of `total` things are this process's: every process takes one in turn."""
    return range(fabric.global_rank, total, fabric.world_size)


def gather(own: Tensor, total: int, fabric: Fabric) -> Tensor:
    """Put together what each process made of its `share`: (own, …) → (total, …) in the things' order."""
    if fabric.world_size == 1:
        return own
    padded = own.new_zeros(math.ceil(total / fabric.world_size), *own.shape[1:])
    padded[: len(own)] = own
    parts = fabric.all_gather(padded)
    assert isinstance(parts, Tensor)  # (processes, most, …)
    return parts.transpose(0, 1).flatten(0, 1)[:total]
