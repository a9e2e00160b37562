"""Strict mode: every operation has a form that gives the same bits, and two equal runs come to them."""

from pathlib import Path

import torch
from torch import Tensor

from fsar.methods import MODELS
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.step import new_step
from perf.small_models import small_backbone


def look_at_determinism(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Take some steps twice: each backbone, and every model on the small one."""
    # In strict mode fp32 chooses among the same operations as tf32.
    large = [
        (*names, "clip-fsar", arithmetic) for names in sizes.backbones.items() for arithmetic in sizes.arithmetics[:2]
    ]
    on = {model: small_backbone(MODELS[model]) for model in sizes.strict_models}
    small = [(name, name, model, sizes.arithmetics[0]) for model, name in on.items()]
    for backbone, architecture, model, arithmetic in large + small:
        what = f"{backbone}, {arithmetic}, {model}: two runs of {sizes.strict_steps} steps, the same bits"
        try:
            once, twice = (left_by(sizes, device, architecture, arithmetic, model, strict=True) for _ in range(2))
        except RuntimeError as error:  # an operation that has no such form; the others are looked at all the same
            findings.check(what, False, str(error)[:500])
        else:
            differ = sum(not torch.equal(value, twice[name]) for name, value in once.items())
            findings.check(what, not differ, f"{differ} of {len(once)} tensors differ")
    for backbone, architecture in sizes.backbones.items():
        once, twice = (
            left_by(sizes, device, architecture, sizes.arithmetics[0], "clip-fsar", strict=False) for _ in range(2)
        )
        differ = sum(not torch.equal(value, twice[name]) for name, value in once.items())
        findings.note(f"Without strict mode {differ} of {len(once)} tensors of {backbone} differ between two runs.")


def left_by(
    sizes: Sizes, device: Device, architecture: str, arithmetic: str, model: str, strict: bool
) -> dict[str, Tensor]:
    """Return the trained weights after some steps from the same start, and the gradients of the last one.

    Weights alone hide much: next to them a step is so small that its last digits are lost.
    """
    step = new_step(architecture, arithmetic, sizes.frames, device, model, deterministic=strict)
    for _ in range(sizes.strict_steps):
        step.whole()
    module = step.model.module
    gradients = {f"gradient of {name}": p.grad.cpu() for name, p in module.named_parameters() if p.grad is not None}
    return gradients | {name: value.cpu() for name, value in module.trained_state().items()}
