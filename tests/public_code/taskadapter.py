"""Task-Adapter++: Jaulin-Bage/Task-Adapter-pp. Files hold a CLIP's visual encoder and the scores, or its texts."""

import re
from collections.abc import Mapping
from typing import Any

import open_clip
import torch
from torch import Tensor

from fsar.methods import Components
from fsar.methods.adapters import insert_adapters
from fsar.methods.task_adapter.head import TaskAdapter
from fsar.methods.task_adapter.record import TaskAdapterConfig, TaskAdaptersConfig
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel
from tests.public_code.golden import Computed, Golden

BLOCK = r"transformer\.resblocks\.(\d+)\."
ADAPTER = re.compile(BLOCK + r"(t|s|task|MLP|sub3)_adapter\.D_fc([12])\.(\w+)")
OUR_ADAPTERS = {"t": "time.", "s": "space.", "task": "videos.", "MLP": "mlp.", "sub3": ""}
OUR_LAYERS = {"1": "contract", "2": "expand"}
TINY = {"image_size": 8, "patch_size": 8, "layers": 1, "width": 8, "head_width": 4}


def depth(golden: Golden) -> int:
    """Return the blocks of the file's encoder."""
    return 1 + max(int(found[1]) for name in golden.tensors if (found := re.search(BLOCK, name)))


def backbone_of(golden: Golden, width: int, vision: dict[str, Any], text: dict[str, Any]) -> Backbone:
    """Return a small CLIP as a backbone. A picture of the file is a tenth of its stored numbers."""
    clip = open_clip.model.CLIP(width, vision, text, quick_gelu=True)
    tenth = (10 / 255,) * 3
    return Backbone(clip, width, vision["image_size"], (0.0,) * 3, tenth, lambda: None, "the golden file's CLIP")


def our_parameter(name: str, first: int, ours: Mapping[str, Tensor], part: str) -> Tensor | None:
    """Return our parameter of a public one; None of an adapter in a block before `first`, which is never used."""
    found = ADAPTER.search(name)
    if not found:
        own = re.sub(r"^feature\.", "visual.", name)
        own = own.replace("visual.temporal_embedding", "backbone.adapters.positions").replace("ca.ln_1", "head.norm")
        return ours[own if own in ours else f"backbone.encoders.{own}"]
    number, kind, layer, what = found.groups()
    if int(number) < first:
        return None
    return ours[f"backbone.adapters.{part}.{int(number) - first}.{OUR_ADAPTERS[kind]}{OUR_LAYERS[layer]}.{what}"]


def parameters(golden: Golden, ours: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Load the file's weights, and return ours by its names."""
    first = depth(golden) - golden.number("adapter_layers")
    found = {}
    with torch.no_grad():
        for name, theirs in golden.named("param_").items():
            parameter = our_parameter(name, first, ours, part)
            if parameter is not None:
                found[name] = parameter.copy_(theirs.view_as(parameter)).requires_grad_()
    return found


def gradients(golden: Golden, ours: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    found = {}
    for name, theirs in golden.named("grad_").items():
        gradient = (golden.tensors[name] if name in golden.tensors else ours[name]).grad
        found[f"grad_{name}"] = None if gradient is None else gradient.view_as(theirs)
    return found


def run(golden: Golden, stem: str) -> Computed:
    return texts(golden) if "in_tokens" in golden.tensors else whole(golden)


def texts(golden: Golden) -> Computed:
    tokens = golden.tensors["in_tokens"]  # (S, n), or of several classes (C, S, n)
    vocabulary, width = golden.tensors["param_token_embedding.weight"].shape
    about = {"context_length": tokens.shape[-1], "vocab_size": vocabulary, "width": width, "layers": depth(golden)}
    about |= {"heads": golden.number("heads")}
    backbone = backbone_of(golden, golden.tensors["param_text_projection"].shape[1], TINY, about)
    settings = TaskAdaptersConfig(blocks=1, text_blocks=golden.number("adapter_layers"), texts=tokens.shape[-2])
    insert_adapters("task_adapter", backbone, 1, settings)
    ours = parameters(golden, {f"backbone.{n}": p for n, p in backbone.named_parameters()}, "text")
    encoded = backbone.encode_tokens(tokens.flatten(0, -2)).unflatten(0, tokens.shape[:-1])
    loss = (encoded * golden.tensors["in_loss_weights"]).sum()
    golden.backward(loss)
    return Computed({"out_text": encoded, "loss_total": loss}, backbone, gradients(golden, ours))


def whole(golden: Golden) -> Computed:
    way, shot, frames = (golden.number(name) for name in ("way", "shot", "frames"))
    pictures = golden.tensors["in_images_times_10"]
    width, _, patch, _ = golden.tensors["param_feature.conv1.weight"].shape
    vision = {"image_size": pictures.shape[-1], "patch_size": patch, "layers": depth(golden), "width": width}
    vision |= {"head_width": width // golden.number("heads")}
    text = {"context_length": 4, "vocab_size": 8, "width": 8, "heads": 2, "layers": 1}
    backbone = backbone_of(golden, golden.tensors["param_feature.proj"].shape[1], vision, text)
    head = TaskAdapterConfig(
        orientation="published",
        logit_scale=golden.value("logit_scale"),
        aligned_norm=bool(golden.meta.get("layer_norm_after_cross_attention")),
    )
    adapters = TaskAdaptersConfig(blocks=golden.number("adapter_layers"), text_blocks=0)
    components = Components(head="task_adapter", trains="adapters", adapters="task_adapter")
    model = FewShotModel(backbone, components, head, frames, adapters=adapters)
    ours = parameters(golden, dict(model.named_parameters()), "visual")
    model.set_training_text(golden.tensors["in_text"].requires_grad_())
    videos = pictures.permute(0, 2, 3, 1).unflatten(0, (way, -1, frames))  # (N, K + Q / N, T, H, W, 3)
    support, queries = videos[:, :shot].flatten(0, 1), videos[:, shot:].flatten(0, 1)
    total = golden.outcome(model, torch.cat([support, queries]), torch.arange(way), shot, {}).total
    golden.backward(total)
    return Computed(outputs(model, support, queries) | {"loss_total": total}, model, gradients(golden, ours))


@torch.no_grad()
def outputs(model: FewShotModel, support: Tensor, queries: Tensor) -> dict[str, Tensor]:
    """Return both similarities and the scores before they are scaled."""
    head = model.head
    assert isinstance(head, TaskAdapter)
    text = model.training_text.unsqueeze(0)  # (1, N, S, D)
    frames = [model.backbone.give(part, head.needs)["frames"].unsqueeze(0) for part in (support, queries)]
    classes, asked = frames[0].unflatten(1, (text.shape[1], -1)).mean(dim=2), frames[1]
    scores = head.episode_stage({"frames": classes.unsqueeze(2)}, {"frames": asked}, text)
    return {
        "out_semantic": head.semantic(asked, text)[0].T,
        "out_visual": head.visual(classes, asked)[0],
        "out_scores": scores["few_shot"][0] / head.settings.logit_scale,
    }
