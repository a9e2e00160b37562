"""Chamfer++: jbertrand89/temporal_matching, whole: triples, projection, the joint Chamfer, temperatures."""

import torch

from fsar.methods.blocks.similarity import frame_similarities
from fsar.methods.chamferpp.head import Chamferpp
from fsar.methods.chamferpp.record import ChamferppConfig
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs
from tests.public_code.golden import Computed, Golden, gradients, load, without_dropout

# What the public code calls its metrics.
METRICS = {
    "mean": "mean_pairs",
    "max": "max_pair",
    "diag": "diagonal",
    "linear": "linear",
    "otam": "otam",
    "chamfer": "chamfer",
    "chamfer-query": "chamfer_query",
    "chamfer-support": "chamfer_support",
}
NAMES = {
    "fc.": "tuples.layer.",
    "layer_norm.": "tuples.norm.",
    "temperature_weight": "weight",
    "visil_fcn.conv4.": "visil.last.",
    "matching_function.linear.": "metric.weigh.",
    **{f"visil_fcn.conv{number}.": f"visil.convolutions.{number - 1}." for number in (1, 2, 3)},
}


def our_name(name: str) -> str:
    for theirs, ours in NAMES.items():
        name = name.replace(theirs, ours)
    return name


def run(golden: Golden, stem: str) -> Computed:
    settings = ChamferppConfig(
        metric=METRICS[golden.meta["matching_function"]],
        shots="side_by_side" if golden.number("joint") else "separate",
        tuple_length=golden.number("clip_tuple_length"),
        projection=len(golden.tensors["param_fc.bias"]),
        temperature=golden.value("param_global_temperature"),
    )
    support, target = (golden.tensors[f"in_{kind}_set"].requires_grad_() for kind in ("support", "target"))
    head = Chamferpp(Inputs(support.shape[-1], golden.number("frames")), settings)
    load(head, golden, our_name, skip=("global_temperature",))
    without_dropout(head)
    asked = golden.in_our_order()
    videos = torch.cat([support[golden.tensors["in_support_labels"].argsort(stable=True)], target[asked]])
    way, shot = golden.number("way"), golden.number("shot")
    episode = TrainingEpisode(way, shot, {"frames": videos}, torch.arange(way), torch.empty(way, 0))
    logits, losses = golden.decided(head, episode)
    loss = losses["few_shot"] / golden.value("loss_divisor", 1.0)
    golden.backward(loss)
    tables = similarities(head, videos, way * shot)
    outputs = {
        "out_logits": golden.in_file_order(logits),
        "out_similarity": golden.in_file_order(tables),
        "loss_total": loss,
    }
    return Computed(outputs, head, gradients(head, golden, our_name))


def similarities(head: Chamferpp, videos: torch.Tensor, supports: int) -> torch.Tensor:
    """Return the table of each query with each support video, (Q, N·K, M, M)."""
    tuples = head.video_stage({"frames": videos})["tuples"]
    return frame_similarities(tuples[supports:], tuples[:supports])
