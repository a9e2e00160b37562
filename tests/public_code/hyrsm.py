"""HyRSM's public code, alibaba-mmai-research/HyRSM 82100b6, and HyRSM++'s of the same form."""

from typing import Any

from fsar.methods.head import TrainingEpisode
from fsar.methods.hyrsm.head import Hyrsm
from fsar.methods.hyrsm.record import HyrsmConfig
from fsar.methods.needs import Inputs
from tests.public_code.golden import Computed, Golden, gradients, load, split_qkv, without_dropout

NAMES = (
    ("temporal_atte_before.norm", "intra_relation.norm"),
    ("temporal_atte_before.fn.to_q", "intra_relation.query"),
    ("temporal_atte_before.fn.to_k", "intra_relation.key"),
    ("temporal_atte_before.fn.to_v", "intra_relation.value"),
    ("temporal_atte_before.fn.to_out.0", "intra_relation.output"),
    ("temporal_atte.w_qs", "inter_relation.query"),
    ("temporal_atte.w_ks", "inter_relation.key"),
    ("temporal_atte.w_vs", "inter_relation.value"),
    ("temporal_atte.fc", "inter_relation.output"),
    ("temporal_atte.layer_norm", "inter_relation.norm"),
    ("layer2.0", "fusion"),
    ("classification_layer", "for_training.classifier"),
)


def our_name(name: str) -> str:
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name


def settings(golden: Golden) -> dict[str, Any]:
    """Return the keys of HyRSM's section that the file has values of."""
    return {
        "feature_divisor": golden.value("position_a", 10.0),
        "position_scale": golden.value("position_b", 1.0),
        "heads": int(golden.value("heads", 8)),
        "items": "prototypes" if "5shot" in golden.meta["cls"] else "videos",
        "classification_weight": golden.value("classification_weight", 0.0),
    }


def run(golden: Golden, stem: str) -> Computed:
    return compute(golden, Hyrsm, HyrsmConfig(**settings(golden)))


def compute(golden: Golden, kind: type[Hyrsm], config: Any) -> Computed:
    split_qkv(golden)
    for name in ("param_layer2.0.weight", "grad_layer2.0.weight"):  # a convolution over one frame is a linear layer
        if name in golden.tensors:
            golden.tensors[name] = golden.tensors[name].squeeze(-1)
    videos = golden.videos()
    classes = len(golden.tensors.get("param_classification_layer.bias", ()))
    head = kind(Inputs(videos.shape[-1], golden.number("frames"), classes), config)
    load(without_dropout(head), golden, our_name)
    episode = TrainingEpisode(
        golden.number("way"),
        golden.number("shot"),
        head.store({head.needs.kind: videos}),
        golden.training_classes(),
        videos.new_empty(max(classes, golden.number("way")), 0),
    )
    logits, losses = golden.decided(head, episode)
    weights = head.loss_weights()
    total = sum(weights[name] * loss for name, loss in losses.items()) / golden.value("loss_divisor", 1.0)
    golden.backward(total)
    outputs = {
        "out_logits": golden.in_file_order(logits),
        "loss_fewshot": losses["few_shot"],
        "loss_temporal": losses.get("coherence"),
        "loss_total": total,
    }
    if classes:
        frames = golden.to_file_order(head.frames(episode.stored)).flatten(0, 1)
        outputs["out_class_logits"] = head.for_training["classifier"](frames)
        outputs["loss_classification"] = losses["classification"]
    return Computed(outputs, head, gradients(head, golden, our_name))
