"""Stopping where a model gives something that is no number, before it becomes a label or a row of a table."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fsar.errors import UserError

# Names in one message.
SHOWN = 5


def check_finite(values: Tensor, subject: str, rows: Sequence[str] = ()) -> None:
    """Check that no value is NaN or infinite, in one reduction: a GPU is waited for once.

    A −∞ that masks something, as where an example is left out, is put in after the check: what a model itself gives is
    always finite.

    Args:
        values: of any shape, real.
        subject: what gives them, at the beginning of a sentence: "The backbone RN50".
        rows: what each entry along the first dimension belongs to, such as a video or a class; those that are not
            finite are named.

    Raises:
        UserError: a value is NaN or infinite.
    """
    if bool(torch.isfinite(values).all()):
        return
    bad = ~torch.isfinite(values)
    where = ""
    if rows:
        own = [name for name, hit in zip(rows, bad.flatten(1).any(dim=1).tolist(), strict=True) if hit]
        more = f" and {len(own) - SHOWN} more" if own[SHOWN:] else ""
        where = " for " + ", ".join(map(repr, own[:SHOWN])) + more
    raise UserError(
        f"{subject} gives values that are NaN or infinite{where}: {int(bad.sum())} of {bad.numel()}. Its weights are "
        "damaged: fetch them, or train it, again. Or its numbers overflow in 16 bits: set training.precision to 32-true"
    )
