"""STRM: Anirudh257/strm. Its second metric is in no optimizer, but its weights are in the file."""

import re

import torch

from fsar.methods.needs import Inputs
from fsar.methods.strm.head import Strm
from fsar.methods.strm.record import StrmConfig
from tests.public_code.golden import Computed, Golden, load, without_dropout
from tests.public_code.trx import episode, our_name, tuple_gradients, tuple_width, without_effect

OUR_PARTS = {
    "attn_pat.gamma": "patches.share",
    "attn_pat.query_proj": "patches.query",
    "attn_pat.key_proj": "patches.key",
    "attn_pat.value_conv": "patches.value",
    "attn_pat.Bot_MLP.inp_fc": "patches.mix.0",
    "attn_pat.Bot_MLP.hid_fc": "patches.mix.2",
    "attn_pat.Bot_MLP.out_fc": "patches.mix.4",
    "fr_enrich.Tok_MLP.inp_fc": "mixing.across_frames.0",
    "fr_enrich.Tok_MLP.out_fc": "mixing.across_frames.2",
    "fr_enrich.Bot_MLP.inp_fc": "mixing.across_channels.0",
    "fr_enrich.Bot_MLP.out_fc": "mixing.across_channels.2",
}
SECOND = re.compile(r"new_dist_loss_post_pat\.(\d+)\.clsW\.(\w+)")


def run(golden: Golden, stem: str) -> Computed:
    cardinalities = golden.tensors["cardinalities"].tolist()
    settings = StrmConfig(
        cardinalities=cardinalities,
        tuple_width=tuple_width(golden),
        dropout=0.0,  # which is on in evaluation, too
        second_metric="published",
        second_metric_weight=golden.value("patch_weight", 0.1),
    )
    head = Strm(Inputs(golden.tensors["in_support_set"].shape[1], golden.number("frames")), settings)

    def ours(name: str) -> str:
        for theirs, part in OUR_PARTS.items():
            if name == theirs or name.startswith(theirs + "."):
                return part + name.removeprefix(theirs)
        return our_name(name, cardinalities)

    load(head, golden, ours, skip=without_effect(golden))
    with torch.no_grad():
        for name, weights in golden.named("unregistered_").items():
            number, kind = SECOND.fullmatch(name).groups()
            getattr(head.second[str(cardinalities[int(number)])], kind).copy_(weights)
    without_dropout(head).loss_over_queries = "sum"
    task = episode(golden, head)
    logits, losses = golden.decided(head, task)
    scores = head.episode_stage(*head.staged(task))
    divided = {name: loss / golden.value("loss_divisor", 1.0) for name, loss in losses.items()}
    total = sum(head.loss_weights()[name] * loss for name, loss in divided.items())
    golden.backward(total)
    outputs = {
        "out_logits_sum": golden.in_file_order(logits),
        "out_logits_frame": golden.in_file_order(scores["few_shot"][0]),
        "out_logits_patch": golden.in_file_order(scores["second_metric"][0]),
        "loss_frame": divided.get("few_shot"),
        "loss_patch": divided.get("second_metric"),
        "loss_total": total,
    }
    return Computed(outputs, head, tuple_gradients(head, golden, ours))
