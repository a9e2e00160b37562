"""Running statistics of BatchNorm that do not depend on how the tasks of a step are divided among processes."""

import torch
from lightning_fabric import Fabric
from torch import nn


class RunningStatistics:
    """The update of running means and variances in one optimizer step, as if its tasks had run one after the other.

    After n tasks with statistics s₀ … sₙ₋₁ and momentum m they are (1 − m)ⁿ · before + m · Σ (1 − m)ⁿ⁻¹⁻ᵏ · sₖ. That
    is a sum over tasks, so each process adds up its own and the sums are added. The statistics change only at the end
    of a step: a step that is given up, and activations computed twice, leave them as they were.

    Args:
        model: its BatchNorm layers in training mode are followed.
    """

    def __init__(self, model: nn.Module):
        self.layers = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
        self.buffers = [b for m in self.layers for b in (m.running_mean, m.running_var) if b is not None]
        self.before = [buffer.clone() for buffer in self.buffers]
        self.sums = [torch.zeros_like(buffer) for buffer in self.buffers]
        self.counts = [m.num_batches_tracked.item() for m in self.layers if m.num_batches_tracked is not None]
        self.kept = 1 - (self.layers[0].momentum or 0.0) if self.layers else 1.0

    def before_task(self) -> None:
        """Empty the buffers, so that the next forward pass leaves m · s in them."""
        if self.buffers:
            torch._foreach_zero_(self.buffers)

    def after_task(self, place: int, tasks: int) -> None:
        """Take what the forward pass of task `place` of `tasks` left."""
        if self.buffers:
            torch._foreach_add_(self.sums, self.buffers, alpha=self.kept ** (tasks - 1 - place))

    def finish(self, fabric: Fabric, tasks: int) -> None:
        """Set the statistics to those after all tasks of the step, in every process."""
        if not self.buffers:
            return
        total = torch.cat(self.sums)
        if fabric.world_size > 1:
            torch.distributed.all_reduce(total)
        for buffer, before, added in zip(
            self.buffers, self.before, total.split([b.numel() for b in self.buffers]), strict=True
        ):
            buffer.copy_(self.kept**tasks * before + added)
        self._count(tasks)

    def restore(self) -> None:
        """Put the statistics back to what they were before the step."""
        for buffer, before in zip(self.buffers, self.before, strict=True):
            buffer.copy_(before)
        self._count(0)

    def _count(self, tasks: int) -> None:
        for layer, before in zip(self.layers, self.counts, strict=True):
            assert layer.num_batches_tracked is not None  # it tracks running statistics
            layer.num_batches_tracked.fill_(before + tasks)
