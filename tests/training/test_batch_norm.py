"""BatchNorm: which statistics are used, and what becomes of the running ones."""

import copy

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from fsar.fabric import make_fabric
from fsar.training.batch_norm import RunningStatistics
from tests.helpers.training import train


def test_batch_norm_is_explicit(world):
    running = "visual.bn1.running_mean"
    before = load_file(world / "small-clip.safetensors")[running]
    for batch_norm, stays in (("running", True), ("together", False), ("apart", False)):
        files = train(world, batch_norm, batch_norm=batch_norm, iterations=2)
        after = load_file(files.output / "model.safetensors")[running]
        assert torch.equal(before, after) is stays


@pytest.mark.parametrize("calls", [1, 2])
def test_running_statistics_are_those_of_tasks_one_after_the_other(calls):
    """With as many calls for each task, and other momenta in each layer."""
    torch.manual_seed(0)
    tasks = [torch.randn(6, 3, 4, 4) * (1 + i) for i in range(4)]
    layers = [torch.nn.BatchNorm2d(3), torch.nn.ReLU(), torch.nn.BatchNorm2d(3, momentum=0.3)]
    plain = torch.nn.Sequential(*layers, torch.nn.BatchNorm2d(3, track_running_stats=False)).train()
    ours = copy.deepcopy(plain)
    ours.append(torch.nn.BatchNorm1d(5))  # which no task calls

    def run(model, task):
        for part in task.chunk(calls):
            model[:4](part)

    followed = RunningStatistics(ours)
    for place, task in enumerate(tasks):
        run(plain, task)
        followed.before_task()
        run(ours, task)
        followed.after_task(place, len(tasks))
        run(ours, task)  # as when activations are computed again
    followed.finish(make_fabric("cpu", "tf32"), len(tasks))
    assert ours[0].num_batches_tracked == 4 * calls and ours[4].num_batches_tracked == 0
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    assert torch.equal(ours[4].running_var, torch.ones(5))
    followed = RunningStatistics(ours)
    followed.before_task()
    run(ours, tasks[0] * float("nan"))
    followed.restore()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


def test_running_statistics_wait_for_no_gpu():
    """Nothing is read back between the first and the last task of a step."""

    class Reads(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            read.append(function is torch.ops.aten._local_scalar_dense.default)
            return function(*args, **(kwargs or {}))

    read = []
    model = torch.nn.Sequential(*(torch.nn.BatchNorm2d(3) for _ in range(3))).train()
    followed = RunningStatistics(model)
    with Reads():
        for place in range(2):
            followed.before_task()
            model(torch.ones(2, 3, 4, 4))
            followed.after_task(place, 2)
        followed.finish(make_fabric("cpu", "tf32"), 2)
    assert len(read) > 20 and not any(read)
    with Reads():
        followed.sums[0].item()
    assert read[-1]  # as it would be seen
