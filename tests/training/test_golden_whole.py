"""The whole training step, from the frames' bytes to gradients and running statistics, against the public code's.

Sizes (way, shot, queries, widths, layers) are read from each file, so further files of the same form are tested too.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from fsar.config import TrainingConfig
from fsar.fabric import make_fabric
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.backbone import Backbone
from fsar.model.exchange import from_reference
from fsar.model.few_shot import FewShotModel
from fsar.training.data import TrainingBatch
from fsar.training.step import train_step
from tests.conftest import GOLDEN, REPOSITORY

FOLDERS = (GOLDEN, REPOSITORY.parent / "shared" / "reference" / "golden")
FILES = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("whole_*.npz"))}
TOLERANCE = 1e-4  # of the largest entry of each tensor


def read(path: Path) -> tuple[dict[str, Tensor], dict]:
    with np.load(path) as arrays:
        tensors = {name: torch.from_numpy(arrays[name].copy()) for name in arrays if name != "meta"}
        return tensors, json.loads(str(arrays["meta"]))


def part(tensors: dict[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Return the tensors with one of these prefixes, without it, under our names."""
    named = {n.removeprefix(p): t for p in prefixes for n, t in tensors.items() if n.startswith(p)}
    return from_reference({name: tensor for name, tensor in named.items() if not name.startswith("after_")})


def visual_encoder(state: dict[str, Tensor], meta: dict) -> nn.Module:
    """Build CLIP's visual encoder with the sizes of its weights."""
    about = json.dumps(meta)
    stated = re.search(r"pool (\d+) heads", about) or re.search(r"(\d+) heads", about)
    if "visual.attnpool.c_proj.weight" in state:
        layers = [len({n.split(".")[2] for n in state if n.startswith(f"visual.layer{i}.")}) for i in range(1, 5)]
        width, output = state["visual.conv3.weight"].shape[0], state["visual.attnpool.c_proj.weight"].shape[0]
        heads = int(stated[1]) if stated else width // 2  # otherwise of 64 channels each, as CLIP has them
        encoder = ModifiedResNet(layers, output, heads, meta["picture"], width)
    else:
        width, _, patch, _ = state["visual.conv1.weight"].shape
        layers = len({n.split(".")[3] for n in state if n.startswith("visual.transformer.resblocks.")})
        ratio = state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / width
        output, heads = state["visual.proj"].shape[1], int(stated[1]) if stated else width // 64
        encoder = VisionTransformer(
            meta["picture"], patch, width, layers, heads, ratio, output_dim=output, act_layer=QuickGELU
        )
    encoder.image_mean, encoder.image_std = OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    return encoder


def by_class(frames: Tensor, classes: Tensor, order: Tensor) -> Tensor:
    """Return the videos of each class in turn."""
    return torch.cat([frames[classes == number] for number in order])


class Clip(nn.Module):
    """What a backbone needs of CLIP where texts are encoded already."""

    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = visual


class WholeStep(NamedTuple):
    """What one training step leaves, and what the file says that it leaves; gradients are those of its total loss."""

    losses: dict[str, Tensor]
    gradients: dict[str, Tensor]
    statistics: dict[str, Tensor]
    expected: dict[str, Tensor]


def whole_step(path: Path, batch_norm: str = "apart") -> WholeStep:
    """Take the step of a file as the training loop does."""
    tensors, meta = read(path)
    weights, buffers = part(tensors, "param_"), part(tensors, "buffer_")
    way, shot, divisor = (int(tensors[key]) for key in ("way", "shot", "loss_divisor"))

    layers = len({n.split(".")[3] for n in weights if n.startswith("head.temporal_transformer.")})
    feed_forward = len(weights["head.temporal_transformer.layers.0.expand.bias"])
    head = ClipFsarConfig(
        depth=layers, feed_forward=feed_forward, attention_dropout=0, feed_forward_dropout=0,
        video_text_weight=float(tensors["lambda"]),
    )  # fmt: skip
    visual = visual_encoder(weights, meta)
    normalised = (visual.image_mean, visual.image_std)
    backbone = Backbone(Clip(visual), visual.output_dim, meta["picture"], *normalised, None, meta["backbone"])
    model = FewShotModel(backbone, MODELS["clip-fsar"], head)
    model.load_trained_state(weights | buffers)
    model.training_text = tensors["text_train"]

    order = tensors["in_support_classes"].unique()
    sets = [by_class(tensors[f"in_{s}_frames"], tensors[f"in_{s}_classes"], order) for s in ("support", "query")]
    training = TrainingConfig(
        way=way, shot=shot, queries=len(sets[1]) // way, tasks_per_step=1, batch_norm=batch_norm,
    )  # fmt: skip
    fabric = make_fabric("cpu", "tf32")
    wrapped, optimizer = fabric.setup(model, torch.optim.Adam(model.parameters()))
    batch = TrainingBatch(0, torch.cat(sets), order)
    losses, _, statistics = train_step(fabric, wrapped, optimizer, iter([batch]), training, 0)
    statistics.finish(fabric, 1)

    total, accuracy, few_shot, video_text = losses[0]
    logits = by_class(tensors["out_logits"], tensors["in_query_classes"], order)
    right = logits.argmax(1) == torch.arange(way).repeat_interleave(training.queries)
    gradients = {n: p.grad / divisor for n, p in model.named_parameters() if p.grad is not None}
    return WholeStep(
        {"loss_total": total / divisor, "loss_fewshot": few_shot, "loss_video_text": video_text, "accuracy": accuracy},
        {name.replace("backbone.encoders.", ""): gradient for name, gradient in gradients.items()},
        model.trained_state(),
        tensors | {"accuracy": right.float().mean()},
    )


@pytest.mark.parametrize("name", FILES)
def test_the_whole_training_step(name):
    step = whole_step(FILES[name])
    for loss, value in step.losses.items():
        close(loss, value, step.expected[loss])
    gradients = part(step.expected, "grad_")
    assert set(step.gradients) == set(gradients)
    for parameter, gradient in gradients.items():
        close(parameter, step.gradients[parameter], gradient)
    for buffer, value in part(step.expected, "buffer_after_").items():
        close(buffer, step.statistics[buffer], value)


def test_batch_norm_together_is_another_step():
    """By 4 % of the few-shot loss and by as much as the largest gradients: what docs/fidelity.md says of it."""
    step = whole_step(FILES["whole_rn_train_2way1shot"], batch_norm="together")
    few_shot = step.expected["loss_fewshot"]
    assert 0.03 < (step.losses["loss_fewshot"] / few_shot - 1).abs() < 0.06
    gradients = part(step.expected, "grad_")
    name = "visual.layer2.0.conv2.weight"
    assert (step.gradients[name] - gradients[name]).abs().max() > gradients[name].abs().max()


def close(name: str, ours: Tensor, theirs: Tensor) -> None:
    """Compare with a tolerance relative to the tensor's largest entry; what is 0 in exact arithmetic is rounding."""
    error, scale = (ours.double() - theirs.double()).abs().max(), theirs.double().abs().max()
    assert error < TOLERANCE * scale + 1e-8, f"{name} differs by {error:.1e}, its largest entry is {scale:.1e}"
