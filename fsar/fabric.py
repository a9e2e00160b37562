"""On which devices models run, in which arithmetic, in how many processes; the one place that makes a Fabric."""

import os
import warnings
from typing import TYPE_CHECKING, Any, Literal

import torch

from fsar.errors import UserError
from fsar.gpus import set_cublas_workspace
from fsar.nodes import is_task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Float32 = Literal["tf32", "fp32"]


def make_fabric(
    device: str, float32: Float32, precision: Precision = "32-true", devices: int = 1, nodes: int = 1
) -> "Fabric":
    """Make the Fabric of a job; several processes of it are still to be launched.

    Args:
        device: auto, cpu or cuda; auto takes a GPU if there is one.
        float32: how a GPU multiplies 32-bit numbers, in this process from now on; a CPU has one way.
        precision: of forward and backward passes; on a CPU, too, 16-mixed scales the loss.
        devices: of each node.
        nodes: more than one are those of a job of SLURM, which has started this process as one of its tasks.

    Raises:
        UserError: there is no GPU, or there are fewer than asked for.
    """
    if nodes > 1 and not is_task():
        raise UserError(f"training.nodes is {nodes}, but this process is not one that `fsar.nodes` has started on them")
    # A second and more, which jobs of one device do not need.
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.precision.amp import MixedPrecision
    from lightning_fabric.strategies.ddp import DDPStrategy

    accelerator = _accelerator(device, devices)
    set_float32(float32)
    several = devices * nodes > 1
    # In a job of a cluster too, this process starts the others of its node itself.
    plugins: list[Any] = [LightningEnvironment() if nodes == 1 else SLURMEnvironment(auto_requeue=False)]
    if accelerator == "cpu" and precision == "16-mixed":
        plugins.append(MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu")))
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        # Statistics of BatchNorm are added up at the end of a step, not copied from the first process before each pass.
        strategy=DDPStrategy(broadcast_buffers=False) if several else "auto",
        precision=None if len(plugins) > 1 else precision,
        plugins=plugins,
    )


def one_device(device: str, float32: Float32, threads: int | None = None) -> torch.device:
    """Choose the device of a job that encodes, tests or labels: one GPU, or the CPU.

    Args:
        device, float32: see `make_fabric`.
        threads: cores to compute with on a CPU, on which the last digits of sums depend; None leaves them as they are.

    Raises:
        UserError: there is no GPU, where one is asked for.
    """
    accelerator = _accelerator(device, 1)
    set_float32(float32)
    if accelerator == "cuda":
        return torch.device("cuda", 0)
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.device("cpu")


def set_float32(float32: Float32) -> None:
    """Set how GPUs multiply 32-bit numbers in this process: convolutions and matrix products alike."""
    # By their older names: Fabric asks by these, and PyTorch refuses to answer once the newer ones were used.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.backends.cudnn.allow_tf32 = float32 == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = float32 == "tf32"


def set_deterministic(deterministic: bool) -> None:
    """Choose, for this process, operations that give the same bits each time, or the fastest ones.

    An operation that a GPU has in no such form is then an error, rather than one that differs unseen.
    """
    set_cublas_workspace(deterministic)
    # Strictly: if it only warned, attention's backward pass would be one that differs.
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic
    # No memory is read here before it is written, and filling it takes longer than many an operation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _accelerator(device: str, devices: int) -> Literal["cuda", "cpu"]:
    """Return what the devices of a job are, or say why there are none such."""
    there = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
    if there >= devices:
        return "cuda"
    if there:
        raise UserError(
            f"training.devices is {devices}, but there {'is 1 GPU' if there == 1 else f'are {there} GPUs'} for this job"
            f"{_limited_to()}. Set training.devices to {there} or less, or give the job more"
        )
    if device == "cuda":
        raise UserError(
            f"device is cuda, but PyTorch {torch.__version__} finds no GPU here{_limited_to()}. See whether nvidia-smi "
            "lists one, and whether the job asked for one; or set device to auto, which takes the CPU if there is none"
        )
    return "cpu"


def _limited_to() -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if visible is None else f" (CUDA_VISIBLE_DEVICES is {visible!r})"
