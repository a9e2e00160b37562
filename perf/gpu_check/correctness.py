"""Small trainings on the device in each precision, with and without recomputation, against each other and the CPU's."""

import math
from pathlib import Path
from typing import Any

import torch

from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.small_training import Trained, train

# How far the loss of the first step may be from the CPU's, which has the same weights and episodes.
NEAR = 0.05


def look_at_precisions(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Train in every precision, with and without computing activations again."""
    reference = train(data, sizes, "cpu", "cpu", dropout=False)
    for precision in sizes.precisions:
        for again in (False, True):
            name = f"{precision}{', computed again' if again else ''}"
            settings: dict[str, Any] = {"precision": precision, "activation_checkpointing": again, "float32": "fp32"}
            own = train(data, sizes, device.name, name, dropout=False, **settings)
            losses = own.metrics["loss"]
            first, on_cpu = losses.iloc[0], reference.metrics["loss"].iloc[0]
            findings.row(
                "precisions", precision=precision, recomputed=again, first_loss=first, first_loss_on_cpu=on_cpu,
                last_loss=losses.iloc[-1], gradient_norm=own.metrics["gradient_norm"].iloc[-1],
            )  # fmt: skip
            finite = all(value.isfinite().all() for value in own.weights.values()) and losses.map(math.isfinite).all()
            findings.check(f"{name}: losses and weights are finite", finite)
            findings.check(f"{name}: the first loss is within 5 % of the CPU's", abs(first / on_cpu - 1) < NEAR)


def look_at_resume(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Stop half-way and go on, in strict mode: the same bits, in each precision."""
    episodes = sizes.training["iterations"]
    half = episodes // 2 // sizes.training["tasks_per_step"] * sizes.training["tasks_per_step"]
    for precision in sizes.precisions:
        settings: dict[str, Any] = {"precision": precision, "deterministic": True}
        whole = train(data, sizes, device.name, f"whole {precision}", **settings)
        stopped = train(data, sizes, device.name, f"stopped {precision}", stop=half, **settings)
        findings.check(f"{precision}: stopped after {half} of {episodes} episodes and gone on with, the same bits",
                       *same(whole, stopped))  # fmt: skip


def same(one: Trained, other: Trained) -> tuple[bool, str]:
    """Tell whether two trainings came to the same bits, in weights and losses, and where not."""
    differ = [name for name, value in one.weights.items() if not torch.equal(value, other.weights[name])]
    told = ["loss", "gradient_norm"]
    losses = one.metrics[told].equals(other.metrics[told])
    where = f"{len(differ)} of {len(one.weights)} tensors differ, such as {differ[0]}" if differ else ""
    return not differ and losses, where or ("" if losses else "losses or gradients differ")
