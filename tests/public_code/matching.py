"""The matching functions of jbertrand89/temporal_matching, all on the same features: outputs and gradients."""

import torch
from torch import Tensor, nn

from fsar.methods.chamferpp.head import Chamferpp
from fsar.methods.chamferpp.record import ChamferppConfig
from fsar.methods.needs import Inputs
from tests.public_code.chamferpp import METRICS, our_name
from tests.public_code.golden import Computed, Golden


def run(golden: Golden, stem: str) -> Computed:
    drop_undefined(golden)
    heads, outputs, found = nn.ModuleDict(), {}, {}
    for case in golden.meta["cases"]:
        heads[case] = head_of(golden, case)
        output, gradients = computed(golden, case, heads[case])
        outputs[f"out_{case}"] = where_defined(output, golden.tensors[f"out_{case}"])
        found |= {f"grad_{case}_{name}": gradient for name, gradient in gradients.items()}
    return Computed(outputs, heads, {f"grad_{name}": found[f"grad_{name}"] for name in golden.named("grad_")})


def drop_undefined(golden: Golden) -> None:
    """Drop gradients without a number: the public OTAM adds up exponentials in 32 bits, and joint rows are too long."""
    for name in [n for n in golden.named("grad_") if golden.tensors[f"grad_{n}"].isnan().all()]:
        assert name.startswith("otam_joint"), name
        del golden.tensors[f"grad_{name}"]


def where_defined(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return our scores, and the public code's where it has −∞ for want of exponent bits; ours are then low ones."""
    assert ours.isfinite().all()
    lost = theirs == -torch.inf
    assert not lost.any() or ours[lost].max() < ours[~lost].min()
    return ours.masked_fill(lost, -torch.inf)


def head_of(golden: Golden, case: str) -> Chamferpp:
    """Build the head of a case, such as `chamfer_joint_visil`; support videos are taken by position, as published."""
    function, shots, *visil = case.split("_")
    settings = ChamferppConfig(
        metric=METRICS[function],
        shots={"joint": "side_by_side", "separate": "separate"}[shots],
        tuple_length=1,
        projection=0,
        visil=bool(visil),
        # OTAM is the sum of both directions here, and their mean there.
        temperature=0.5 if function == "otam" else 1.0,
        weight=1.0,
    )
    head = Chamferpp(Inputs(golden.tensors["in_support_set"].shape[-1], golden.number("frames")), settings)
    compared = {our_name(name) for name in golden.named(f"grad_{case}_")}
    for name, parameter in head.named_parameters():
        parameter.requires_grad_(name in compared)
    weights = {our_name(name): weight for name, weight in golden.named("param_").items()}
    own = head.state_dict()
    head.load_state_dict(own | {name: weight for name, weight in weights.items() if name in own})
    assert set(own) - {"weight"} <= set(weights)
    return head.train(not golden.evaluating)


def computed(golden: Golden, case: str, head: Chamferpp) -> tuple[Tensor, dict[str, Tensor | None]]:
    """Return the scores of a case, (Q, N), and the gradients by the file's names after the case's own."""
    inputs = {
        f"in_{kind}_set": golden.tensors[f"in_{kind}_set"].clone().requires_grad_() for kind in ("support", "target")
    }
    support, target = inputs.values()
    by_class = support.unflatten(0, (golden.number("way"), golden.number("shot")))
    scores = head.few_shot_logits(by_class, target, torch.empty(len(by_class), 0))
    golden.backward((scores * golden.tensors["in_loss_weights"]).sum())
    theirs = {our_name(name): name for name in golden.named("param_")}
    gradients = {theirs[name]: parameter.grad for name, parameter in head.named_parameters() if name in theirs}
    return scores, gradients | {name: each.grad for name, each in inputs.items()}
