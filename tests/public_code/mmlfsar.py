"""MML-FSAR: Shuo-Zheng/MML-FSAR. A file holds a whole small CLIP, of float pictures, (V, 3, T, H, W)."""

import re

import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from fsar.methods import Components
from fsar.methods.blocks.similarity import cosine_similarity
from fsar.methods.head import TrainingEpisode
from fsar.methods.mmlfsar.head import STAGES, Mmlfsar
from fsar.methods.mmlfsar.record import MmlfsarAdaptersConfig, MmlfsarConfig
from fsar.model.backbone import Backbone, VisualEncoder
from fsar.model.few_shot import FewShotModel
from tests.public_code.golden import Computed, Golden

OUR_PARTS = (
    (r"vit\.transformer\.resblocks\.(\d+)\.adapter_plus\.adapter\.fc1", r"backbone.adapters.inserted.\1.0"),
    (r"vit\.transformer\.resblocks\.(\d+)\.adapter_plus\.adapter\.fc2", r"backbone.adapters.inserted.\1.2"),
    (r"vit\.", "backbone.encoders.visual."),
    (r"multi_stage_feature_synergizer\.low_stage_synergizer\.", "head.looking.low."),
    (r"multi_stage_feature_synergizer\.mid_stage_synergizer\.", "head.looking.middle."),
    (r"text_to_video_harmonizer\.cross_attention\.value_transform", "head.text"),
    (r"(query|key|value)_transform", r"\1"),
    (r"^scale", "head.scale"),
)
# The attention to a text that is the same for all frames: its softmax is uniform, and we have none.
WITHOUT_EFFECT = re.compile(r"text_to_video_harmonizer\.cross_attention\.(query|key)_transform|vit\.fc\b")


def our_name(name: str) -> str:
    for theirs, ours in OUR_PARTS:
        name = re.sub(theirs, ours, name)
    return name


def run(golden: Golden, stem: str) -> Computed:
    model = loaded(golden)
    head: Mmlfsar = model.head
    way, frames = golden.number("way"), golden.number("frames")
    support, asked = (golden.tensors[f"in_{kind}_images"].requires_grad_() for kind in ("support", "query"))
    order = [golden.tensors[f"in_{kind}_labels"].argsort(stable=True) for kind in ("support", "query")]
    videos = torch.cat([support[order[0]], asked[order[1]]]).transpose(1, 2)  # (V, T, 3, H, W)
    given = model.backbone._of_pictures(videos.flatten(0, 1), head.needs)
    given = {name: each.unflatten(0, (-1, frames)) for name, each in given.items()}
    stored = head.store(given)
    numbers = torch.arange(way) if golden.evaluating else golden.tensors["in_classes"]
    text = golden.tensors["in_text"]
    text = text[golden.tensors["in_classes"]] if golden.evaluating and len(text) > way else text
    episode = TrainingEpisode(way, len(support) // way, stored, numbers, text)
    logits, losses = golden.decided(head, episode)
    total = sum(weight * losses[name] for name, weight in head.loss_weights().items())
    total = total / golden.value("loss_divisor", 1.0)
    golden.backward(total)

    def of_videos(ours: Tensor) -> Tensor:
        return ours[torch.cat([order[0], len(support) + order[1]]).argsort()]

    back = order[1].argsort()
    by_text = (head.scale * cosine_similarity(stored["frames"][len(support) :].mean(dim=1), text[numbers]))[back]
    probabilities, gamma = logits[back].exp(), golden.value("gamma")
    low, middle, high = given["tokens"][:, :, :, 0].unbind(dim=2)
    outputs = {
        "out_low": of_videos(low),
        "out_mid": of_videos(middle),
        "out_high": of_videos(high),
        "out_synergized_low": of_videos(stored[STAGES[0]]),
        "out_synergized_mid": of_videos(stored[STAGES[1]]),
        "out_video_matching_probs": probabilities,
        "out_vision_text_logits": by_text,
        "out_vision_text_probs": by_text.softmax(dim=1),
        "out_dagger_probs": with_text(head, by_text.softmax(dim=1), probabilities, gamma),
        "loss_q2s": losses["few_shot"],
        "loss_vision_text": losses["text"],
        "loss_total": total,
    }
    return Computed(outputs, model, gradients(model, golden))


def with_text(head: Mmlfsar, by_text: Tensor, by_videos: Tensor, power: float) -> Tensor:
    """Return what the head decides by with class names, as products of powers of probabilities."""
    head.settings = head.settings.model_copy(update={"text_power": power})
    scores = dict.fromkeys(STAGES, by_videos) | {"text": by_text}
    return head.decide(scores).exp()


def loaded(golden: Golden) -> FewShotModel:
    """Build the model with the sizes and weights of a file, frozen but for what is trained."""
    weights = golden.named("param_")
    visual = small_clip(golden)
    hidden, width = weights["vit.transformer.resblocks.0.adapter_plus.adapter.fc1.weight"].shape
    settings = MmlfsarConfig(
        inner_width=len(weights["multi_stage_feature_synergizer.low_stage_synergizer.query_transform.bias"]),
        level_share=golden.value("alpha"),
        text_loss_weight=golden.value("beta"),
        support_in_text_loss="with_text",
    )
    backbone = Backbone(VisualEncoder(visual), visual.output_dim, visual.image_size[0], [0.0] * 3, [1.0] * 3, None, "")
    components = Components(head="mmlfsar", trains="adapters", adapters="mmlfsar")
    adapters = MmlfsarAdaptersConfig(bottleneck=hidden / width)
    model = FewShotModel(backbone, components, settings, golden.number("frames"), 0, adapters)
    model.load_state_dict(
        {our_name(name): weight for name, weight in weights.items() if not WITHOUT_EFFECT.match(name)}
    )
    visual.requires_grad_(False)
    return model.train(not golden.evaluating)


def small_clip(golden: Golden) -> nn.Module:
    weights = golden.named("param_vit.")
    width, _, patch, _ = weights["conv1.weight"].shape
    layers = len({name.split(".")[2] for name in weights if name.startswith("transformer.")})
    ratio = len(weights["transformer.resblocks.0.mlp.c_fc.bias"]) / width
    size, output = golden.tensors["in_support_images"].shape[-1], weights["proj"].shape[1]
    return VisionTransformer(
        size, patch, width, layers, golden.number("heads"), ratio, output_dim=output, act_layer=QuickGELU
    )


def gradients(model: nn.Module, golden: Golden) -> dict[str, Tensor | None]:
    """Return the gradients by the file's names; those of what has no effect are zero."""
    parameters = dict(model.named_parameters())
    found: dict[str, Tensor | None] = {}
    for name, theirs in golden.named("grad_").items():
        if name in golden.tensors:
            found[f"grad_{name}"] = golden.tensors[name].grad
        elif WITHOUT_EFFECT.match(name):
            found[f"grad_{name}"] = torch.zeros_like(theirs)
        else:
            found[f"grad_{name}"] = parameters[our_name(name)].grad
    return found
