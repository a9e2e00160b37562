"""TAMT's public code, TJU-YDragonW/TAMT 5a4a00c."""

import pytest
import torch
from torch import Tensor

from fsar.methods import Components
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Needs
from fsar.methods.tamt.record import TamtAdaptersConfig, TamtConfig
from fsar.model.few_shot import FewShotModel
from tests.public_code.golden import Computed, Golden, gradients, no_losses

HEAD = (
    ("feature.net.fc_norm2.", "head.token_norm."),
    ("feature.net.fc_norm.", "head.mean_norm."),
    ("feature.net.temporal_conv.", "head.along_time."),
    ("layer_reduce1.", "head.reduce.0."),
    ("layer_reduce_bn1.", "head.reduce.1."),
    ("layer_reduce2.", "head.reduce.3."),
    ("layer_reduce_bn2.", "head.reduce.4."),
    ("layer_reduce3.", "head.combine.0."),
    ("layer_reduce_bn3.", "head.combine.1."),
    ("layer_reduce4.", "head.combine.3."),
    ("layer_reduce_bn4.", "head.combine.4."),
    ("head2.", "head.project."),
)
ADAPTER = (("L.0.", "inner."), ("L.1.", "norm."), ("L2.0.", "gain."), ("L3.0.", "shift."))
ENCODER = "backbone.encoders.visual.model."
BLOCK = (
    ("norm1.", "layernorm_before."),
    ("norm2.", "layernorm_after."),
    ("attn.q_bias", "attention.attention.query.bias"),
    ("attn.v_bias", "attention.attention.value.bias"),
    ("attn.proj.", "attention.output.dense."),
    ("mlp.fc1.", "intermediate.dense."),
    ("mlp.fc2.", "output.dense."),
)
# Made by the public code, and looked at by nothing.
UNUSED = ("norm3.", "temporal_conv.", "tam.G.")


def our_name(name: str) -> str:
    """Return our name of a parameter or buffer; empty where we have none."""
    for theirs, ours in HEAD:
        if name.startswith(theirs):
            return name.replace(theirs, ours)
    if name.startswith("feature.net.patch_embed.proj."):
        return name.replace("feature.net.patch_embed.proj.", f"{ENCODER}embeddings.patch_embeddings.projection.")
    block, rest = name.removeprefix("feature.net.blocks.").split(".", 1)
    if rest.startswith(UNUSED):
        return ""
    if rest.startswith("tam."):
        part = rest.removeprefix("tam.")
        ours = next(part.replace(a, b) for a, b in ADAPTER if part.startswith(a))
        return f"backbone.adapters.inserted.{int(block) - 10}.{ours}"
    ours = next((rest.replace(a, b) for a, b in BLOCK if rest.startswith(a)), rest)
    return f"{ENCODER}encoder.layer.{block}.{ours}"


def split(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by our names, with queries, keys and values apart."""
    found = {}
    for name, value in weights.items():
        if name.endswith("attn.qkv.weight"):
            place = our_name(name).removesuffix("attn.qkv.weight")
            for kind, part in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[f"{place}attention.attention.{kind}.weight"] = part
        elif our_name(name):
            found[our_name(name)] = value
    return found


def build(golden: Golden) -> FewShotModel:
    """Build the model of the file's sizes and weights, as published."""
    transformers = pytest.importorskip("transformers", reason="VideoMAE needs the extra `video`")
    from fsar.model.backbone import VisualEncoder
    from fsar.model.clip_encoders import VideoMAE
    from fsar.model.video_backbone import VideoBackbone
    from fsar.video_encoders import VideoEncoder

    weights = golden.named("param_")
    width = len(weights["feature.net.patch_embed.proj.bias"])
    size, patch = golden.tensors["in_images"].shape[-1], golden.number("patch")
    config = transformers.VideoMAEConfig(
        image_size=size,
        patch_size=patch,
        num_frames=golden.number("frames"),
        hidden_size=width,
        num_hidden_layers=12,
        num_attention_heads=golden.number("heads"),
        intermediate_size=len(weights["feature.net.blocks.0.mlp.fc1.bias"]),
        layer_norm_eps=1e-6,
    )
    half = golden.number("frames") // 2
    about = VideoEncoder(
        "videomae", "VideoMAE", 2 * half, half, size, size // patch, width, 12, (0.0,) * 3, (1.0,) * 3, False
    )
    visual = VideoMAE(transformers.VideoMAEModel(config), about)
    backbone = VideoBackbone(VisualEncoder(visual), about, width, None, "a small VideoMAE")
    ratios = [len(weights[f"layer_reduce{i}.weight"]) for i in (1, 2)]
    settings = TamtConfig(reductions=[width // ratios[0], ratios[0] // ratios[1]], axes="published", score="published")
    components = Components(head="tamt", trains="adapters", adapters="tamt")
    model = FewShotModel(backbone, components, settings, 2 * half, 0, TamtAdaptersConfig())
    statistics = {n: v for n, v in golden.named("buffer_").items() if not n.startswith("after_") and our_name(n)}
    state = split(weights) | {our_name(name): value for name, value in statistics.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.startswith(("backbone.adapters.", "head.")) is False for name in missing), missing
    return model


def run(golden: Golden, stem: str) -> Computed:
    model = build(golden)
    model.train(not golden.evaluating)
    model.backbone.requires_grad_(False)
    model.backbone.adapters.requires_grad_(True)
    way, shot, queries = (golden.number(name) for name in ("way", "shot", "queries"))
    images = golden.tensors["in_images"].requires_grad_(not golden.evaluating)
    # Class by class, its support and then its queries; ours has all support first.
    order = torch.arange(len(images)).view(way, shot + queries)
    order = torch.cat([order[:, :shot].flatten(), order[:, shot:].flatten()])
    videos = images.transpose(1, 2)[order]
    maps = model.backbone._of_videos(videos, Needs("maps"))
    places = maps["maps"].flatten(3).transpose(2, 3)
    back = order.argsort()
    stored = model.head.store(maps)
    episode = TrainingEpisode(way, shot, stored, torch.arange(way), images.new_empty(way, 0))
    scores = model.head.episode_stage(*model.head.staged(episode))
    logits, losses = model.head.decide(scores)[0], no_losses()
    if not golden.evaluating:
        losses = {"few_shot": model.head.query_loss(scores["few_shot"][0], episode.labels)}
        golden.backward(losses["few_shot"])
    by_class = stored["video"][back].view(way, shot + queries, -1)
    buffers = dict(model.named_buffers())
    with torch.no_grad():
        statistics = {n: v.clone() for n, v in buffers.items()}
        pooled, tokens = model.head.pooled(places), model.head.tokens(places)
    found = gradients_of(model, golden)
    if not golden.evaluating:
        found["grad_in_images"] = images.grad
    return Computed(
        {
            "out_scores": logits,
            "out_pooled": pooled[back],
            "out_tokens": tokens[back].flatten(1, 2),
            "out_support": by_class[:, :shot],
            "out_query": by_class[:, shot:],
            "loss_total": losses["few_shot"],
        },
        model,
        found,
        {
            f"buffer_after_{n}": statistics[our_name(n)] if our_name(n) else golden.tensors[f"buffer_{n}"]
            for n in golden.named("buffer_after_")
        },
        rounding=1e-6,  # of the bias before a convolution whose result is normed by its mean
    )


def gradients_of(model: FewShotModel, golden: Golden) -> dict[str, Tensor | None]:
    """Return our gradients by their names, of what is trained and used."""
    return {} if golden.evaluating else gradients(model, golden, our_name)
