"""What is no number never becomes a feature, a label or a row: every evaluation stops and names the model."""

import pytest
import torch

from fsar.errors import UserError
from fsar.model.finite import check_finite


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_named_with_its_rows(bad):
    values = torch.zeros(8, 3, 2)
    check_finite(values, "The backbone RN50", [f"v{i}" for i in range(8)])
    values[1:, 2, 1] = bad
    with pytest.raises(UserError, match=r"The backbone RN50 gives .* for 'v1', .*'v5' and 2 more: 7 of 48.*weights"):
        check_finite(values, "The backbone RN50", [f"v{i}" for i in range(8)])
    with pytest.raises(UserError, match=r"The backbone RN50 gives values that are NaN or infinite: 7 of 48"):
        check_finite(values, "The backbone RN50")


@pytest.mark.parametrize("values", [torch.empty(0, 4), torch.tensor(1.0), torch.arange(3), torch.ones(2).half()])
def test_numbers_of_any_kind_pass(values):
    check_finite(values, "The model")
