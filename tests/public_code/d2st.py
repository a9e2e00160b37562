"""D²ST-Adapter's public code, qizhongtan/D2ST-Adapter 44387fa: one adapter of either kind, and a small CLIP of them."""

import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from fsar.methods import Components
from fsar.methods.d2st.deformable import DeformableAdapter, Kernels
from fsar.methods.d2st.record import D2stAdaptersConfig, D2stConfig
from fsar.methods.head import TrainingEpisode
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel
from tests.public_code.golden import Computed, Golden, gradients, load

NAMES = (
    ("pos_embed", "position"),
    ("s_ln.norm", "spatial_norm"),
    ("t_ln.norm", "temporal_norm"),
    ("s_ln", "spatial_norm"),
    ("t_ln", "temporal_norm"),
    ("s_attn", "spatial"),
    ("t_attn", "temporal"),
    ("conv_offset.0", "places.convolution"),
    ("conv_offset.1.norm", "places.norm"),
    ("conv_offset.3", "places.offset"),
    ("proj_q", "query"),
    ("proj_k", "key"),
    ("proj_v", "value"),
    ("proj_out", "output"),
)
DEFAULTS = D2stAdaptersConfig()


def our_name(name: str) -> str:
    """Return our name of a parameter of one adapter."""
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name


def flatten_convolutions(golden: Golden) -> None:
    """Make linear layers of the public code's convolutions that look at single places."""
    for name, tensor in golden.tensors.items():
        if name.startswith(("param_", "grad_")) and tensor.dim() == 5 and tensor.shape[2:] == (1, 1, 1):
            golden.tensors[name] = tensor.flatten(1)


def run(golden: Golden, stem: str) -> Computed:
    flatten_convolutions(golden)
    kind = stem.split("_")[1]
    if "in_support_labels" in golden.tensors:
        return run_model(golden)
    return run_adapter(golden, "tokens" if kind == "vit" else "maps")


def kernels_of(golden: Golden, prefix: str = "") -> Kernels:
    """Return the kernels by their weights; the steps, which the file does not have, are those published for them."""
    weights = {kind: golden.tensors[f"param_{prefix}{kind}_attn.conv_offset.0.weight"] for kind in "st"}
    spatial, temporal = (list(weight.shape[2:]) for weight in weights.values())
    published = [*DEFAULTS.stage_spatial_kernels, DEFAULTS.spatial_kernel]
    strides = [*DEFAULTS.stage_spatial_strides, DEFAULTS.spatial_stride]
    heads = len(golden.tensors[f"param_{prefix}down.bias"]) // len(weights["s"])
    return Kernels(heads, spatial, strides[published.index(spatial)], temporal)


def run_adapter(golden: Golden, kind: str) -> Computed:
    given = golden.tensors[f"in_{kind}"].requires_grad_()  # (L, V·T, W) or (V·T, W, H, W)
    side, width, inner = (
        golden.number("side"),
        len(golden.tensors["param_up.bias"]),
        len(golden.tensors["param_down.bias"]),
    )
    size = (golden.number("frames"), side, side)
    adapter = DeformableAdapter(width, inner, size, kernels_of(golden), activated=kind == "tokens")
    load(adapter, golden, our_name)
    tokens = given.transpose(0, 1) if kind == "tokens" else given.flatten(2).transpose(1, 2)  # (V·T, L, W)
    found = adapter(tokens.unflatten(0, (-1, size[0]))).flatten(0, 1)
    found = found.transpose(0, 1) if kind == "tokens" else found.transpose(1, 2).unflatten(-1, size[1:])
    total = (found * golden.tensors["in_loss_weights"]).sum()
    golden.backward(total)
    return Computed({f"out_{kind}": found, "loss_total": total}, adapter, gradients(adapter, golden, our_name))


class Clip(nn.Module):
    """What a backbone needs of CLIP without its texts."""

    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = visual


def small_clip(golden: Golden) -> Backbone:
    """Build a backbone of the file's sizes and weights; its bytes stand for the file's, which are ten times a pixel."""
    weights = golden.named("param_")
    patches, width = weights["positional_embedding"].shape
    patch = weights["conv1.weight"].shape[-1]
    blocks = {name.split(".")[2] for name in weights if name.startswith("transformer.")}
    ratio = len(weights["transformer.resblocks.0.mlp.c_fc.bias"]) / width
    size = golden.tensors["in_support_images_times_10"].shape[-1]
    visual = VisionTransformer(
        size, patch, width, len(blocks), golden.number("heads"), ratio, output_dim=width, act_layer=QuickGELU
    )
    assert patches == len(visual.positional_embedding)
    own = visual.state_dict()
    visual.load_state_dict({name: weights.get(name, own[name]) for name in own})
    return Backbone(Clip(visual), width, size, [128 / 255] * 3, [10 / 255] * 3, None, "a small CLIP")


def name_in_model(name: str) -> str:
    """Return our name of a parameter of the whole public model."""
    if ".Adapter." in name:
        block, part = name.removeprefix("transformer.resblocks.").split(".Adapter.")
        return f"backbone.adapters.inserted.{block}.{our_name(part)}"
    if name in ("temporal_embedding", "class_embedding"):
        return f"backbone.adapters.ends.{name}"
    if name.startswith("ln_post."):
        return name.replace("ln_post", "backbone.adapters.ends.last_norm")
    if name.startswith("classification_layer."):
        return name.replace("classification_layer", "head.for_training.classifier")
    return f"backbone.encoders.visual.{name}"


def videos_of(golden: Golden) -> Tensor:
    """Return the bytes of all videos in our order: (V, T, H, W, 3)."""
    parts = []
    for kind in ("support", "target"):
        frames = golden.tensors[f"in_{kind}_images_times_10"].unflatten(0, (-1, golden.number("frames")))
        parts.append(frames[golden.tensors[f"in_{kind}_labels"].argsort(stable=True)])
    return (torch.cat(parts).short() + 128).to(torch.uint8).movedim(2, -1)


def run_model(golden: Golden) -> Computed:
    first = kernels_of(golden, "transformer.resblocks.0.Adapter.")
    adapters = D2stAdaptersConfig(
        bottleneck=golden.value("adapter_scale"),
        heads=first.heads,
        spatial_kernel=first.spatial,
        spatial_stride=first.stride,
        temporal_kernel=first.temporal,
    )
    components = Components(head="d2st", trains="adapters", adapters="d2st")
    videos, numbers = videos_of(golden), golden.training_classes()
    with_classifier = "param_classification_layer.bias" in golden.tensors
    classes = len(golden.tensors["param_classification_layer.bias"]) if with_classifier else int(numbers.max()) + 1
    settings = D2stConfig(classification_weight=golden.value("classification_weight", 0.0))
    frames, way, shot = (golden.number(name) for name in ("frames", "way", "shot"))
    model = FewShotModel(small_clip(golden), components, settings, frames, classes, adapters).train()
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in golden.named("param_").items():
            named[name_in_model(name)].copy_(value)
    model.set_training_text(torch.empty(classes, 0))

    outcome = golden.outcome(model, videos, numbers, shot, {})
    total = outcome.total / golden.value("loss_divisor", 1.0)
    golden.backward(total)
    stored = model.head.store(model.backbone.give(videos, model.head.needs))
    logits, _ = golden.decided(model.head, TrainingEpisode(way, shot, stored, numbers, model.training_text))
    outputs = {
        "out_logits": golden.in_file_order(logits),
        "out_class_logits": golden.to_file_order(model.head.class_logits(stored)),
        "loss_fewshot": outcome.losses["few_shot"],
        "loss_classification": outcome.losses["classification"],
        "loss_total": total,
    }
    return Computed(outputs, model, gradients(model, golden, name_in_model))
