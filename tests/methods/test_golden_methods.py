"""Every method against tensors that its public code computed: outputs, losses, gradients and running statistics.

The files are those of the project, and of a folder beside the checkout or the one that `FSAR_GOLDEN_METHODS` names:
`<method>_<case>.npz`, of whatever way, shot, frames and widths.
"""

import os
import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import GOLDEN, REPOSITORY
from tests.public_code.golden import Computed, Golden

OTHERS = Path(os.environ.get("FSAR_GOLDEN_METHODS", REPOSITORY.parent / "shared" / "reference" / "golden_methods"))
FILES = {path.stem: path for folder in (GOLDEN / "methods", OTHERS) for path in sorted(folder.glob("*.npz"))}
ADAPTERS = {path.stem for path in (REPOSITORY / "tests/public_code").glob("*.py")} - {"__init__", "golden"}
LOGITS = 2e-5
# What queries are decided by, and its parts: logits, scores and probabilities.
OF_LOGITS = re.compile(r"out_(logits\w*|\w+_logits\w*|scores?\w*|final)")
TOLERANCE = 1e-4  # of the largest entry of each tensor


def computed(golden: Golden, stem: str) -> Computed:
    module = import_module(f"tests.public_code.{stem.split('_')[0]}")
    return module.run(golden, stem)


def close(name: str, ours: Tensor | None, theirs: Tensor, zero: float) -> None:
    assert ours is not None, f"{name}: there is none"
    theirs = theirs.to(ours.dtype)
    largest = theirs.abs().max().item() if theirs.numel() else 0.0
    within = LOGITS * max(1.0, largest) if OF_LOGITS.fullmatch(name) else TOLERANCE * largest
    torch.testing.assert_close(ours, theirs, rtol=0, atol=within + zero, msg=lambda m: f"{name}: {m}")


def uncompared(found: Computed) -> list[str]:
    """Return our parameters that have a gradient which is held against none of the file's."""
    compared = {each.untyped_storage().data_ptr() for each in found.gradients.values() if each is not None}
    return [
        name
        for name, parameter in (found.module.named_parameters() if found.module and found.gradients else ())
        if parameter.grad is not None
        and parameter.grad.any()
        and parameter.grad.untyped_storage().data_ptr() not in compared
    ]


@pytest.mark.parametrize("stem", [name for name in FILES if name.split("_")[0] in ADAPTERS])
def test_public_code(stem):
    golden = Golden.read(FILES[stem])
    found = computed(golden, stem)
    for prefix, ours in (("out_", found.outputs), ("loss_", found.outputs), ("buffer_after_", found.buffers)):
        for name in golden.named(prefix):
            if prefix + name not in ("loss_divisor",):
                close(prefix + name, ours[prefix + name], golden.tensors[prefix + name], zero=0.0)
    if golden.evaluating:
        return
    assert not uncompared(found)
    for name in golden.meta.get("params_without_gradient", ()):
        assert f"grad_{name}" not in found.gradients or not golden.tensors[f"grad_{name}"].any(), name
    largest = max((float(g.abs().max()) for g in golden.named("grad_").values()), default=0.0)
    for name, gradient in found.gradients.items():
        # Some gradients are zero in exact arithmetic, and what remains of them is rounding.
        close(name, gradient, golden.tensors[name], zero=found.rounding * max(1.0, largest))


def evaluated(golden: Golden, texts: str) -> Golden:
    """Return a file of training as one of evaluation: what is left of it then, and what stands in place of the rest.

    Args:
        texts: `episode`, those of its classes alone, or `split`, those of others too.
    """
    kept = {name: each for name, each in golden.tensors.items() if not name.startswith(("loss_", "grad_"))}
    kept = {name: each.detach().clone() for name, each in kept.items() if each.dim() or not name.endswith("_weight")}
    for name in ("in_support_images_times_10", "in_target_images_times_10"):
        if "in_support_set" in kept:  # pixels are there for the reconstruction alone
            kept.pop(name, None)
    if "out_loss_recons" in kept:
        kept["out_loss_recons"] = torch.zeros(())
    if "in_templates" in kept:
        own = kept["in_templates"][int(kept.pop("template"))]
        noise = torch.randn(own.shape, generator=torch.Generator().manual_seed(0))
        kept["in_templates"] = torch.stack([own + noise, own, own - noise])  # whose mean it is
        if texts == "episode":
            kept["in_templates"] = kept["in_templates"][:, golden.training_classes()]
    if "in_class_text" in kept and texts == "episode":
        kept["in_class_text"] = kept["in_class_text"][golden.training_classes()]
    return Golden(kept, golden.meta | {"mode": "eval"})


# In evaluation TAMT's layers norm by running statistics, which its outputs follow from.
FOLLOWING = {"tamt"}


@pytest.mark.parametrize("texts", ["episode", "split"])
@pytest.mark.parametrize("stem", [n for n in FILES if "_train_" in n and n.split("_")[0] in ADAPTERS - FOLLOWING])
def test_files_of_evaluation_go_through_the_same_adapters(stem, texts):
    """Without dropout, and where no statistics are followed, evaluation gives the outputs of training."""
    golden = evaluated(Golden.read(FILES[stem]), texts)
    found = computed(golden, stem)
    assert found.module is not None and not found.module.training
    assert all(parameter.grad is None for parameter in found.module.parameters())
    outputs = golden.named("out_")
    assert outputs
    for name, theirs in outputs.items():
        close(f"out_{name}", found.outputs[f"out_{name}"].detach(), theirs, zero=0.0)


def test_what_is_not_compared_is_noticed():
    """A gradient that a file lacks, and a logit that is off by less than other tensors may be."""
    golden = Golden.read(GOLDEN / "methods" / "team_train_5way1shot.npz")
    del golden.tensors["grad_DPM.ln.weight"]
    assert uncompared(computed(golden, "team_train_5way1shot")) == ["pattern.norm.weight"]
    theirs = torch.full((2, 2), 10.0)
    for name in ("out_logits", "out_logits_pos", "out_scores", "out_score", "out_final", "out_patch_class_logits"):
        close(name, theirs + 1e-4, theirs, zero=0.0)
        with pytest.raises(AssertionError, match=name):
            close(name, theirs + 3e-4, theirs, zero=0.0)
    close("out_side", theirs + 3e-4, theirs, zero=0.0)
