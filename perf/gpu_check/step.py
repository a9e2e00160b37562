"""The training step of `perf.training_step` in the arithmetics and with the choices that are compared."""

import gc
from collections.abc import Callable, Iterator

import torch

from fsar.fabric import set_deterministic
from fsar.training.batch_norm import RunningStatistics
from perf.gpu_check.device import Device
from perf.training_step import Step

# What an arithmetic is in the config: training.precision and training.float32.
ARITHMETICS = {
    "bf16": ("bf16-mixed", "tf32"),
    "tf32": ("32-true", "tf32"),
    "fp32": ("32-true", "fp32"),
    "fp16": ("16-mixed", "tf32"),
}

Choices = Iterator[tuple[str, Callable[[], Callable[[], None]]]]


def new_step(
    architecture: str,
    arithmetic: str,
    frames: int,
    device: Device,
    model: str = "clip-fsar",
    deterministic: bool = False,
) -> Step:
    """Build a step in an arithmetic, by default of the fastest operations, whatever their bits."""
    free(device)
    precision, float32 = ARITHMETICS[arithmetic]
    step = Step(architecture, precision, device.name, frames, float32, deterministic, model)
    step.model.train()
    return step


def free(device: Device) -> None:
    """Give back the memory of steps that nobody holds any more."""
    gc.collect()
    device.empty_cache()


def choices(step: Step, device: Device, plain: bool) -> Choices:
    """Yield each choice with what prepares the step that it is; the choice before is undone then.

    Args:
        step: to be measured.
        device: it is on.
        plain: whether the plain way is among them.
    """
    yield "fast", lambda: step.whole
    yield "backbone alone", lambda: step.backbone
    set_deterministic(True)
    yield "deterministic", lambda: step.whole
    set_deterministic(False)
    if plain:
        yield "plain way", lambda: step.usual
    fused = step.optimizer
    step.optimizer = step.fabric.setup_optimizers(torch.optim.Adam(bare(fused.param_groups), fused=False))
    yield "Adam not fused", lambda: step.whole
    step.optimizer = fused
    encoders = step.model.module.backbone.encoders
    encoders.to(memory_format=torch.contiguous_format)
    yield "not channels_last", lambda: step.whole
    encoders.to(memory_format=torch.channels_last)
    yield "CUDA graph", lambda: in_a_graph(step, device)


def bare(groups: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the groups of parameters without the optimizer's own settings."""
    return [{key: group[key] for key in ("params", "lr", "weight_decay")} for group in groups]


def in_a_graph(step: Step, device: Device) -> Callable[[], None]:
    """Return the step with the forward and backward pass as one CUDA graph.

    Beside it, as in the training loop, stay what waits for the GPU (the norm of the gradients), the statistics'
    last computation, and the optimizer.
    """
    module, config = step.model.module, step.config
    statistics = RunningStatistics(module)
    classes, apart = step.batch.classes.to(device.torch), config.batch_norm == "apart"

    def passes() -> None:
        step.optimizer.zero_grad()
        statistics.before_task()
        outcome = step.model(step.pixels, classes, config.fixed_shot, {"video_text": config.video_text_weight}, apart)
        statistics.after_task(0, 1)
        step.fabric.backward(outcome.total)

    again = device.graph(passes)

    def whole() -> None:
        again()
        torch.nn.utils.get_total_norm([p.grad for p in module.parameters() if p.grad is not None]).item()
        statistics.finish(step.fabric, 1)
        step.optimizer.step()

    return whole
