"""Many steps in fp16: how the scale of the loss goes, and how many steps it leaves out."""

from pathlib import Path
from typing import Any

from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.step import new_step
from perf.gpu_check.world import SMALL

# Seconds kept for the end.
REST = 2.0


def look_at_loss_scale(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Take steps until they are all done or the time is nearly over."""
    step = new_step(SMALL, "fp16", sizes.frames, device)
    precision: Any = step.fabric.strategy.precision
    scaler = precision.scaler
    scale, left_out, done = scaler.get_scale(), 0, 0
    findings.row("loss_scale", step=0, scale=scale)
    while done < sizes.scaled_steps and findings.left > REST:
        step.whole()
        done += 1
        if (now := scaler.get_scale()) != scale:
            left_out += now < scale
            scale = now
            findings.row("loss_scale", step=done, scale=scale)
    findings.row("loss_scale", step=done, scale=scale)
    findings.note(f"{done} steps in fp16, of which {left_out} were left out because gradients overflowed.")
    finite = all(value.isfinite().all() for value in step.model.module.trained_state().values())
    findings.check("weights are finite after the steps in fp16", finite)
    findings.check("fewer than 1 in 20 steps in fp16 were left out", left_out <= max(2, done / 20), str(left_out))
