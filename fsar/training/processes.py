"""The processes of a training job: one per device, each with a share of the work, all with the same results."""

import logging
import math

import torch
from lightning_fabric import Fabric
from torch import Tensor

from fsar.config import TrainingConfig
from fsar.fabric import make_fabric, set_deterministic

log = logging.getLogger(__name__)


def start_processes(config: TrainingConfig, device: str) -> Fabric:
    """Start the processes of a training job: this one, and one more for each further device of this node.

    The others run the same script again, from its first line; see `fsar.job.is_first_process`.

    Args:
        config: devices, arithmetic, threads and workers. No more devices are used than the tasks of a step can be
            divided among.
        device: auto, cpu or cuda.

    Raises:
        UserError: there are too few GPUs.
    """
    asked = config.devices * config.nodes
    config = config.spread()
    used = config.devices * config.nodes
    if used < asked:
        log.info("a step has %d tasks, so that %d of %d devices are used", config.tasks_per_step, used, asked)
    set_deterministic(config.deterministic)
    fabric = make_fabric(device, config.float32, config.precision, config.devices, config.nodes)
    if config.devices * config.nodes > 1:
        fabric.launch()
    if fabric.device.type == "cpu":
        torch.set_num_threads((config.threads - config.workers) // config.devices)
    return fabric


def own_workers(config: TrainingConfig) -> int:
    """Return how many loader processes each process of a training has."""
    return config.workers // config.spread().devices


def share(total: int, fabric: Fabric) -> range:
    """Return the share of `total` items of this process: processes take one item each in turn."""
    return range(fabric.global_rank, total, fabric.world_size)


def gather(own: Tensor, total: int, fabric: Fabric) -> Tensor:
    """Join the results of all processes' shares: (own, …) → (total, …) in the order of the items."""
    if fabric.world_size == 1:
        return own
    padded = own.new_zeros(math.ceil(total / fabric.world_size), *own.shape[1:])
    padded[: len(own)] = own
    parts = fabric.all_gather(padded)
    assert isinstance(parts, Tensor)  # (processes, most, …)
    return parts.transpose(0, 1).flatten(0, 1)[:total]
