"""Seconds of a training step: arithmetic by arithmetic, one choice changed at a time, beside the backbone alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.step import choices, new_step

# Seconds that a choice may take; where less time is left it is not begun.
NEEDED = 8.0
# Seconds after which a choice is not measured once more.
PATIENCE = 1.5
# Training episodes of one seed of the paper's grid on each backbone (docs/scaling.md).
OF_A_SEED = 429_000


@dataclass
class Stopwatch:
    """Measures choices of one backbone in one arithmetic, a row for each; the first is what others are compared with.

    Attributes:
        table: of the rows.
        backbone, arithmetic: that are measured.
        base: seconds of a step of the first choice.
    """

    sizes: Sizes
    device: Device
    findings: Findings
    table: str
    backbone: str
    arithmetic: str
    base: float | None = None

    def measure(self, choice: str, prepare: Callable[[], Callable[[], Any]]) -> None:
        """Add the row of a choice; what does not run, or does not fit into memory, is told there."""
        row = {"backbone": self.backbone, "arithmetic": self.arithmetic, "choice": choice}
        try:
            row |= self._measured(prepare())
        except torch.OutOfMemoryError:
            row["remark"] = "does not fit into memory"
        except Exception as error:
            row["remark"] = "does not run"
            told = f"{type(error).__name__}: {error}"[:500]
            self.findings.check(f"{self.backbone}, {self.arithmetic}: {choice} runs", False, told)
        self.findings.row(self.table, **row)

    def _measured(self, run: Callable[[], Any]) -> dict[str, Any]:
        first = self.device.seconds(run)
        self._repeated(run, self.sizes.warm)
        peak = self.device.peak(run)
        taken = self._repeated(run, self.sizes.rounds)
        self.base = self.base or median(taken)
        return {
            "seconds": median(taken), "least_s": min(taken), "most_s": max(taken),
            "over_first_choice": median(taken) / self.base, "first_call_s": first, "peak_gb": peak / 1e9,
        }  # fmt: skip

    def _repeated(self, run: Callable[[], Any], most: int) -> list[float]:
        """Return the seconds of each of some calls; of fewer where they take long, but of one."""
        taken: list[float] = []
        while len(taken) < most and sum(taken) < PATIENCE:
            taken.append(self.device.seconds(run))
        return taken


def look_at_step_times(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Measure every choice but compilation."""
    for arithmetic in sizes.arithmetics:
        for backbone, architecture in sizes.backbones.items():
            if not findings.enough(2 * NEEDED, f"steps of {backbone} in {arithmetic}"):
                continue
            step = new_step(architecture, arithmetic, sizes.frames, device)
            watch = Stopwatch(sizes, device, findings, "steps", backbone, arithmetic)
            for choice, prepare in choices(step, device, plain=arithmetic == "fp32"):
                if findings.enough(NEEDED, f"{choice} of {backbone} in {arithmetic}"):
                    watch.measure(choice, prepare)
            if watch.base:
                hours = OF_A_SEED * watch.base / 3600
                findings.row("grid", backbone=backbone, arithmetic=arithmetic, gpu_hours_of_a_seed=hours)
            del step, prepare


def look_at_compilation(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Measure the compiled visual encoder beside the same without."""
    for arithmetic in sizes.arithmetics:
        for backbone, architecture in sizes.backbones.items():
            if findings.enough(sizes.compile_seconds, f"the compiled {backbone} in {arithmetic}"):
                step = new_step(architecture, arithmetic, sizes.frames, device)
                watch = Stopwatch(sizes, device, findings, "compilation", backbone, arithmetic)
                watch.measure("not compiled", lambda own=step: own.whole)
                # Support and queries are two shapes, and each gets a program of its own.
                step.model.module.backbone.visual.compile(backend=sizes.compiler, dynamic=False)
                watch.measure("compiled", lambda own=step: own.whole)
                del step
