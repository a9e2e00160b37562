"""MoLo's public code, alibaba-mmai-research/MoLo f7f73b6."""

import torch
from torch import Tensor

from fsar.methods.head import TrainingEpisode
from fsar.methods.molo.head import Molo
from fsar.methods.molo.record import MoloConfig
from fsar.methods.needs import Inputs
from tests.public_code.golden import Computed, Golden, gradients, load, split_qkv, without_dropout

# The motion branch's names hold the other's, so it goes first.
NAMES = (
    ("temporal_atte_before_motion.layers.0", "motion.layer"),
    ("temporal_atte_before.layers.0", "appearance.layer"),
    ("layer.0.norm", "layer.norm"),
    ("layer.0.fn.to_q", "layer.query"),
    ("layer.0.fn.to_k", "layer.key"),
    ("layer.0.fn.to_v", "layer.value"),
    ("layer.0.fn.to_out.0", "layer.output"),
    ("layer.1.net.0", "layer.expand"),
    ("layer.1.net.3", "layer.contract"),
    ("class_token_motion", "motion.token"),
    ("class_token", "appearance.token"),
    ("scale_motion", "motion.scale"),
    ("motion_reduce", "reduce"),
    ("motion_conv", "smooth"),
    ("motion_up", "expand"),
    ("classification_layer", "for_training.classifier"),
    *((f"up{i + 1}.conv.double_conv.0", f"for_training.decoder.convolutions.{i}") for i in range(3)),
    *((f"up{i + 1}.conv.double_conv.1", f"for_training.decoder.norms.{i}") for i in range(3)),
    ("outc.conv", "for_training.decoder.output"),
)


def our_name(name: str) -> str:
    if name == "scale":
        return "appearance.scale"
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name


def pixels(golden: Golden) -> Tensor:
    """Return the pictures of all videos in our order: (V, T, 3, H, W)."""
    parts = []
    for kind in ("support", "target"):
        frames = golden.tensors[f"in_{kind}_images_times_10"].float() / 10
        videos = frames.unflatten(0, (-1, golden.number("frames")))
        parts.append(videos[golden.tensors[f"in_{kind}_labels"].argsort(stable=True)])
    return torch.cat(parts)


def run(golden: Golden, stem: str) -> Computed:
    split_qkv(golden)
    videos, divisor = golden.videos(), golden.value("loss_divisor", 1.0)
    config = MoloConfig(
        feature_divisor=golden.value("position_a", 10.0),
        position_scale=golden.value("position_b", 1.0),
        heads=int(golden.value("heads", 8)),
        feed_forward=len(golden.tensors["param_temporal_atte_before.layers.0.1.net.0.bias"]),
        motion_weight=golden.value("motion_logit_weight", 0.3),
        classification_weight=golden.value("classification_weight", 1.0),
        contrast_weight=golden.value("contrastive_weight", 1.0),
        reconstruction_weight=golden.value("reconstruction_weight", 1.0) * divisor,
    )
    classes = len(golden.tensors["param_classification_layer.bias"])
    head = Molo(Inputs(videos.shape[2], golden.number("frames"), classes), config)
    load(without_dropout(head), golden, our_name)
    text = videos.new_empty(max(classes, golden.number("way")), 0)
    episode = TrainingEpisode(
        golden.number("way"),
        golden.number("shot"),
        head.store({head.needs.kind: videos}),
        golden.training_classes(),
        text,
        None if golden.evaluating else pixels(golden),
    )
    logits, losses = golden.decided(head, episode)
    total = sum(head.loss_weights()[name] * loss for name, loss in losses.items()) / divisor
    golden.backward(total)

    tokens = head.video_stage(episode.stored)
    contrasts = head.contrasts(*head.arranged(episode, *episode.split(tokens)))
    outputs = {
        "out_logits": golden.in_file_order(logits),
        "out_class_logits": golden.to_file_order(head.class_logits(tokens)),
        "out_loss_recons": losses["reconstruction"],
        "loss_fewshot": losses["few_shot"],
        "loss_classification": losses["classification"],
        "loss_total": total,
    }
    public = ("s2q", "q2s", "s2q_motion", "q2s_motion")
    for name, (ours, distances) in zip(public, contrasts.items(), strict=True):
        outputs |= {f"out_logits_{name}": golden.in_file_order(-distances[0]), f"loss_{name}": losses[ours]}
    statistics = dict(head.named_buffers())
    names = golden.named("buffer_after_")
    return Computed(
        outputs,
        head,
        gradients(head, golden, our_name),
        {f"buffer_after_{name}": statistics[our_name(name)] for name in names},
    )
