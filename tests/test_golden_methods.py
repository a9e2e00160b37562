"""Every method against tensors that its public code computed: outputs, losses, gradients and running statistics.

The files are those of the project, and of a folder beside the checkout or the one that `FSAR_GOLDEN_METHODS` names:
`<method>_<case>.npz`, of whatever way, shot, frames and widths.
"""

import os
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import GOLDEN, REPOSITORY
from tests.public_code.golden import Computed, Golden

OTHERS = Path(os.environ.get("FSAR_GOLDEN_METHODS", REPOSITORY.parent / "shared" / "reference" / "golden_methods"))
FILES = {path.stem: path for folder in (GOLDEN / "methods", OTHERS) for path in sorted(folder.glob("*.npz"))}
ADAPTERS = {path.stem for path in (Path(__file__).parent / "public_code").glob("*.py")} - {"__init__", "golden"}
LOGITS = 2e-5
TOLERANCE = 1e-4  # of the largest entry of each tensor


def computed(golden: Golden, stem: str) -> Computed:
    module = import_module(f"tests.public_code.{stem.split('_')[0]}")
    return module.run(golden, stem)


def close(name: str, ours: Tensor | None, theirs: Tensor, zero: float) -> None:
    assert ours is not None, f"{name}: there is none"
    theirs = theirs.to(ours.dtype)
    largest = theirs.abs().max().item() if theirs.numel() else 0.0
    within = LOGITS * max(1.0, largest) if name.startswith("out_logits") else TOLERANCE * largest
    torch.testing.assert_close(ours, theirs, rtol=0, atol=within + zero, msg=lambda m: f"{name}: {m}")


@pytest.mark.parametrize("stem", [name for name in FILES if name.split("_")[0] in ADAPTERS])
def test_public_code(stem):
    golden = Golden.read(FILES[stem])
    found = computed(golden, stem)
    for prefix, ours in (("out_", found.outputs), ("loss_", found.outputs), ("buffer_after_", found.buffers)):
        for name in golden.named(prefix):
            if prefix + name not in ("loss_divisor",):
                close(prefix + name, ours[prefix + name], golden.tensors[prefix + name], zero=0.0)
    assert set(found.gradients) == {f"grad_{name}" for name in golden.named("grad_")}
    largest = max((float(g.abs().max()) for g in golden.named("grad_").values()), default=0.0)
    for name, gradient in found.gradients.items():
        # Some gradients are zero in exact arithmetic, and what remains of them is rounding.
        close(name, gradient, golden.tensors[name], zero=1e-7 * max(1.0, largest))
