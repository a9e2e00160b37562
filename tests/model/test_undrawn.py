"""Building without drawing weights: only parameters are left out, and only inside."""

import pytest
import torch
from torch import nn

from fsar.model.undrawn import Undrawn


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(3, 4),
        lambda: nn.Conv2d(3, 4, 2),
        lambda: nn.Embedding(5, 3),
        lambda: nn.MultiheadAttention(8, 2),
        lambda: nn.init.normal_(tensor=nn.Parameter(torch.zeros(3))),
    ],
    ids=["linear", "convolution", "embedding", "attention", "by name"],
)
def test_no_parameter_is_drawn_inside(build):
    before = torch.get_rng_state()
    with Undrawn():
        build()
    assert torch.equal(torch.get_rng_state(), before)
    build()
    assert not torch.equal(torch.get_rng_state(), before)


def test_constants_buffers_and_other_tensors_are_as_ever():
    with Undrawn():
        norm = nn.BatchNorm2d(3)
        drawn = nn.init.uniform_(torch.zeros(9)), torch.zeros(9).normal_(), torch.randn(9)
    assert torch.equal(norm.weight, torch.ones(3)) and torch.equal(norm.bias, torch.zeros(3))
    assert torch.equal(norm.running_var, torch.ones(3)) and norm.num_batches_tracked == 0
    assert all(values.count_nonzero() == 9 for values in drawn)


@pytest.mark.parametrize("start", [1e30, -1e30, torch.nan])
@pytest.mark.parametrize("bounds", [(-2.0, 2.0), (1.0, 4.0)])
def test_what_draws_until_it_fits_comes_to_an_end(start, bounds):
    """The functions of PyTorch that cut a distribution off draw again where the memory holds anything beyond."""
    with Undrawn():
        nn.init.trunc_normal_(nn.Parameter(torch.full((50,), start)), a=bounds[0], b=bounds[1])
