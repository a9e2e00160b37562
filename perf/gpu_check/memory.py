"""GPU memory of a training step: the table of docs/training.md, counted as there, and as the GPU has it."""

from pathlib import Path
from typing import Any

import torch

from perf.activation_memory import saved_bytes
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.step import free, new_step

COUNTED = {"fp32": None, "bf16": torch.bfloat16}


def look_at_memory(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Measure what is kept for the backward pass, and the most that a step takes."""
    for backbone, architecture in sizes.backbones.items():
        for again in (False, True):
            for arithmetic, precision in COUNTED.items():
                counted = saved_bytes(architecture, again, precision)
                row = {"backbone": backbone, "arithmetic": arithmetic, "recomputed": again, "counted_gb": counted / 1e9}
                try:
                    findings.row("memory", **row, **measured(architecture, arithmetic, again, sizes, device))
                except torch.OutOfMemoryError:
                    findings.row("memory", **row, remark="does not fit into memory")
                free(device)


def measured(architecture: str, arithmetic: str, again: bool, sizes: Sizes, device: Device) -> dict[str, Any]:
    """Return gigabytes: kept by the forward pass, weights and moments, and the most of a step."""
    step = new_step(architecture, arithmetic, sizes.frames, device)
    if again:
        step.model.module.backbone.checkpoint_activations()
    step.whole()  # makes Adam's moments
    step.optimizer.zero_grad()
    before = device.allocated()
    config, classes = step.config, step.batch.classes.to(device.torch)
    apart = config.batch_norm == "apart"
    outcome = step.model(step.pixels, classes, config.fixed_shot, {"video_text": config.video_text_weight}, apart)
    kept = device.allocated() - before
    step.fabric.backward(outcome.total)
    del outcome
    peak = device.peak(step.whole)
    return {"kept_gb": kept / 1e9, "before_gb": before / 1e9, "peak_gb": peak / 1e9, "remark": ""}
