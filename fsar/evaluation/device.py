"""The device of an evaluation: one GPU if there is one."""

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment


def evaluation_device(device: str, threads: int) -> torch.device:
    """Choose the device, and on a CPU the number of threads, on which the last digits of sums depend.

    Args:
        device: auto, cpu or cuda.
        threads: cores of the job.
    """
    # In a job of a cluster with several tasks, too, this is one process.
    fabric = Fabric(accelerator=device, devices=1, plugins=[LightningEnvironment()])
    if fabric.device.type == "cpu":
        torch.set_num_threads(threads)
    return fabric.device
