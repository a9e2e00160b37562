"""Running statistics of BatchNorm, equal however the tasks of a step are divided among processes."""

from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from fsar.model.few_shot import batch_norms


class RunningStatistics:
    """The update of running means and variances in one optimizer step, as if its tasks had run one after the other.

    A task may call a layer several times: u calls with momentum m keep k = (1 − m)ᵘ of what was before. After n tasks
    that left s₀ … sₙ₋₁ in empty buffers, the statistics are kⁿ · before + Σ kⁿ⁻¹⁻ⁱ · sᵢ. That is a sum over tasks, so
    each process adds up its own, and then the sums are added. The statistics change only at the end of a step: a step
    that is skipped, and recomputed activations, leave them unchanged.

    Args:
        model: its BatchNorm layers in training mode are handled.
    """

    def __init__(self, model: nn.Module):
        layers = [layer for layer in batch_norms(model) if layer.track_running_stats]
        # The running means and variances of all layers, and their counts of updates.
        self.buffers = [cast(Tensor, b) for layer in layers for b in (layer.running_mean, layer.running_var)]
        self.counts = [cast(Tensor, layer.num_batches_tracked) for layer in layers]
        if not layers:
            return
        device = self.buffers[0].device
        kept = [1 - (layer.momentum or 0.0) for layer in layers]
        sizes = [2 * layer.num_features for layer in layers]
        # All buffers as one vector, and the layer of each number, so that nothing waits for a GPU.
        self.layer = torch.arange(len(layers)).repeat_interleave(torch.tensor(sizes)).to(device)
        self.kept = torch.tensor(kept, device=device)[self.layer]
        self.before = torch.cat(self.buffers)
        self.counts_before = torch.stack(self.counts)
        self.sums = torch.zeros_like(self.before)
        self.updates = torch.zeros_like(self.counts_before)  # of one task

    def before_task(self) -> None:
        """Empty the buffers, so that the next forward pass leaves its own statistics in them."""
        if self.buffers:
            torch._foreach_zero_(self.buffers)
            torch._foreach_zero_(self.counts)

    def after_task(self, place: int, tasks: int) -> None:
        """Add the statistics that the forward pass of task `place` of `tasks` left in the buffers."""
        if self.buffers:
            self.updates = torch.stack(self.counts)
            self.sums += torch.cat(self.buffers) * self._kept_after(tasks - 1 - place)

    def finish(self, fabric: Fabric, tasks: int) -> None:
        """Set the statistics to those after all tasks of the step, in every process."""
        if not self.buffers:
            return
        if fabric.world_size > 1:
            torch.distributed.all_reduce(self.sums)
        self._set(self._kept_after(tasks) * self.before + self.sums, self.counts_before + tasks * self.updates)

    def restore(self) -> None:
        """Put the statistics back to what they were before the step."""
        if self.buffers:
            self._set(self.before, self.counts_before)

    def _kept_after(self, tasks: int) -> Tensor:
        """Return the weight of each earlier number after so many tasks."""
        return self.kept ** (tasks * self.updates)[self.layer]

    def _set(self, statistics: Tensor, counts: Tensor) -> None:
        torch._foreach_copy_(self.buffers, list(statistics.split([b.numel() for b in self.buffers])))
        torch._foreach_copy_(self.counts, list(counts.unbind()))
