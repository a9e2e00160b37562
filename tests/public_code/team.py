"""TEAM: leesb7426/TEAM. The files hold maps, which the public code averages before anything else."""

from dataclasses import replace

from fsar.methods.needs import Inputs
from fsar.methods.team.head import Team
from fsar.methods.team.record import TeamConfig
from tests.public_code.golden import Computed, Golden, gradients, load, without_dropout
from tests.public_code.trx import episode

OUR_PARTS = {
    "DPM.AP": "pattern.tokens",
    "DPM.ln.weight": "pattern.norm.weight",
    "DPM.ln.bias": "pattern.norm.bias",
    "DPM.mlp.inp_fc.weight": "pattern.expand.weight",
    "DPM.mlp.inp_fc.bias": "pattern.expand.bias",
    "DPM.mlp.out_fc.weight": "pattern.contract.weight",
    "DPM.mlp.out_fc.bias": "pattern.contract.bias",
}


def run(golden: Golden, stem: str) -> Computed:
    tokens = golden.tensors["param_DPM.AP"]  # (1, A, D)
    head = Team(Inputs(tokens.shape[-1], golden.number("frames")), TeamConfig(tokens=tokens.shape[-2]))
    golden.tensors["param_DPM.AP"] = tokens.squeeze(0)
    load(head, golden, OUR_PARTS.__getitem__)
    given = episode(golden, without_dropout(head))
    frames = given.stored["frames"]
    if frames.dim() > 3:
        frames = frames.mean(dim=(-2, -1))
    task = replace(given, stored={"frames": frames})
    logits, losses = golden.decided(head, task)
    scores = head.episode_stage(*head.staged(task))
    total = sum(losses.values()) / golden.value("loss_divisor", 1.0)
    golden.backward(total)
    outputs = {
        "out_logits": golden.in_file_order(logits),
        "out_logits_pos": golden.in_file_order(scores["positive"][0]),
        "out_logits_neg": golden.in_file_order(scores["negative"][0]),
        "loss_pos": losses["positive"],
        "loss_neg": losses["negative"],
        "loss_total": total,
    }
    found = gradients(head, golden, OUR_PARTS.__getitem__)
    if "grad_DPM.AP" in found:
        found["grad_DPM.AP"] = found["grad_DPM.AP"].unsqueeze(0)
    return Computed(outputs, head, found)
