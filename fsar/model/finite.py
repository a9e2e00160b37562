"""Stopping where a model gives something that is no number, before it becomes a label or a row of a table."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from fsar.errors import UserError
from fsar.lists import some_of

REMEDY = (
    "Its weights are damaged: fetch them, or train it, again. Or its numbers overflow in 16 bits: set "
    "training.precision to 32-true"
)


def check_finite(values: Tensor, subject: str, rows: Iterable[str] = (), remedy: str = REMEDY) -> None:
    """Check that no value is NaN or infinite, in one reduction: a GPU is waited for once.

    A −∞ that masks something, as where an example is left out, is put in after the check: what a model itself gives is
    always finite.

    Args:
        values: of any shape, real.
        subject: what gives them, at the beginning of a sentence: "The backbone RN50".
        rows: what each entry along the first dimension belongs to, such as a video or a class; asked for only where
            something is not finite, to name it.
        remedy: what to do, in sentences without the last full stop.

    Raises:
        UserError: a value is NaN or infinite.
    """
    if bool(torch.isfinite(values).all()):
        return
    bad = ~torch.isfinite(values)
    where = ""
    if rows:
        own = [name for name, hit in zip(rows, bad.flatten(1).any(dim=1).tolist(), strict=True) if hit]
        where = f" for {some_of([repr(name) for name in dict.fromkeys(own)])}"
    raise UserError(
        f"{subject} gives values that are NaN or infinite{where}: {int(bad.sum())} of {bad.numel()}. {remedy}"
    )


def check_weights(state: Mapping[str, Tensor], path: str | Path) -> None:
    """Check that the weights of a file are finite. A mask of attention beside them may be −∞ where nothing is seen.

    Raises:
        UserError: naming the file and the weights that are not.
    """
    bad = [
        name for name, values in state.items() if not name.endswith("attn_mask") and not torch.isfinite(values).all()
    ]
    if bad:
        raise UserError(
            f"The weights {path} are damaged: {some_of([repr(name) for name in bad])} hold values that are NaN or "
            "infinite. Fetch the file, or train the model, again"
        )
