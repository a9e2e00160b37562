"""CLIP-SPM's public code, hnlxy/CLIP-SPM 63f4361."""

from fsar.methods.clipspm.head import Clipspm
from fsar.methods.clipspm.record import ClipspmConfig
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs
from tests.public_code.golden import Computed, Golden, gradients, load, split_qkv, without_dropout

NAMES = (
    ("context1", "across_videos"),
    ("context2", "within_video"),
    ("layers.0.0.norm", "norm"),
    ("layers.0.0.fn.to_q", "query"),
    ("layers.0.0.fn.to_k", "key"),
    ("layers.0.0.fn.to_v", "value"),
    ("layers.0.0.fn.to_out.0", "output"),
    ("layers.0.1.net.0", "expand"),
    ("layers.0.1.net.3", "contract"),
    ("token_tr.mlp.net", "make_token"),
    ("gate_text", "text_gate"),
    ("gate_vision", "frame_gate"),
    ("motion_conv1", "for_training.motion.convolutions.0"),
    ("motion_conv2", "for_training.motion.convolutions.1"),
    ("mo_alpha1", "for_training.motion.factor"),
)


def our_name(name: str) -> str:
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name


def run(golden: Golden, stem: str) -> Computed:
    split_qkv(golden)
    videos, text, divisor = golden.videos(), golden.texts("in_class_text"), golden.value("loss_divisor", 1.0)
    width = videos.shape[-1]
    config = ClipspmConfig(
        episode_token="labels",
        text_strength=golden.value("alpha"),
        slope=golden.value("negative_slope"),
        text_gate=len(golden.tensors["param_gate_text.0.bias"]) / width,
        frame_gate=len(golden.tensors["param_gate_vision.0.bias"]) / width,
        heads=golden.number("heads"),
        head_width=golden.number("head_width"),
        feed_forward=len(golden.tensors["param_token_tr.mlp.net.0.bias"]),
        smoothing=golden.value("smoothing", 0.5),
        motion_weight=golden.value("consistency_weight", 1.0) * divisor,
    )
    head = Clipspm(Inputs(width, golden.number("frames"), len(text)), config)
    head.loss_over_queries = "sum"
    load(without_dropout(head), golden, our_name, skip=["scale"])  # which nothing looks at
    episode = TrainingEpisode(
        golden.number("way"), golden.number("shot"), head.store({"frames": videos}), golden.training_classes(), text
    )
    logits, losses = golden.decided(head, episode)
    if golden.evaluating:  # which asks for no classifier, and is an output
        losses = head.losses(episode)[1]
    total = sum(head.loss_weights()[name] * loss for name, loss in losses.items()) / divisor
    golden.backward(total)
    outputs = {
        "out_logits": golden.in_file_order(logits),
        "out_dists": losses["motion"],
        "loss_fewshot_sum": losses["few_shot"],
        "loss_total": total,
    }
    return Computed(outputs, head, gradients(head, golden, our_name))
