"""EMP-Net's public code, cong-wu/EMP-Net b4dc006."""

import re

import torch
from torch import Tensor

from fsar.methods.empnet.head import GRAINS, Empnet
from fsar.methods.empnet.record import EmpnetConfig
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs
from tests.public_code.golden import Computed, Golden, gradients, load, split_qkv, without_dropout

PUBLIC_GRAINS = {"patch": "patches", "frame": "frames", "token": "tokens"}
LAYER = (
    ("norm", "norm"),
    ("fn.to_q", "query"),
    ("fn.to_k", "key"),
    ("fn.to_v", "value"),
    ("fn.to_out.0", "output"),
    ("net.0", "expand"),
    ("net.3", "contract"),
)


def our_name(name: str) -> str:
    number, kind = re.search(r"\.layers\.0\.(\d)\.", name).group(1), name.split(".layers.")[0]
    end = name.split(f".layers.0.{number}.")[1]
    for theirs, ours in LAYER:
        end = end.replace(theirs, ours)
    if kind.startswith("spatialtemporal"):
        part = "within_frame" if number == "0" else "over_time"
        return f"reasoning.{int(kind.rsplit('_', 1)[1]) - 1}.{part}.{end}"
    section, grain = kind.rsplit("_", 1)
    return f"{'fusion' if section == 'fusion' else 'relation'}.{PUBLIC_GRAINS[grain]}.{end}"


def levels(golden: Golden) -> list[int]:
    """Return the blocks whose tokens the file has."""
    return sorted(int(name.removeprefix("in_support_level")) for name in golden.tensors if "in_support_level" in name)


def tokens(golden: Golden) -> Tensor:
    """Return the tokens of our videos: (V, T, n, 1 + P, D)."""
    parts = []
    for kind in ("support", "target"):
        names = [f"in_{kind}_level{level}" for level in levels(golden)]
        for name in names:
            golden.tensors[name].requires_grad_(f"grad_{name}" in golden.tensors)
        frames = torch.stack([golden.tensors[name] for name in names], dim=1)  # (V·T, n, 1 + P, D)
        videos = frames.unflatten(0, (-1, golden.number("frames")))
        parts.append(videos[golden.tensors[f"in_{kind}_labels"].argsort(stable=True)])
    return torch.cat(parts)


def texts_compared(golden: Golden, text: Tensor) -> Tensor:
    """Return the texts that videos are compared with: it looks for the classes among five support videos alone.

    A class that is not among them has the text of the first training class. Where all are, these are the episode's.
    """
    labels, numbers = (golden.tensors[f"in_{kind}support_labels"][:5] for kind in ("", "real_"))
    classes = golden.tensors["in_support_labels"].unique()
    return text[[int(numbers[labels == label][0]) if label in labels else 0 for label in classes]]


def texts_of(golden: Golden) -> Tensor:
    """Return each text of each class: (C, S, D). In training the one that was drawn, and so the only one."""
    templates = golden.tensors["in_templates"].requires_grad_("grad_in_templates" in golden.tensors)  # (S, C, D)
    if not golden.evaluating:
        return templates[golden.number("template")].unsqueeze(1)
    golden.tensors["in_templates_by_class"] = templates.transpose(0, 1)
    return golden.texts("in_templates_by_class")


def run(golden: Golden, stem: str) -> Computed:
    split_qkv(golden)
    videos = tokens(golden)
    config = EmpnetConfig(
        levels=levels(golden),
        heads=golden.number("heads"),
        top_patches=golden.number("top_patches"),
        top_frames=golden.number("top_frames"),
        merge_before=bool(golden.number("merge_before")),
        smoothing=golden.value("smoothing", 0.5),
        cross_entropy="probabilities",
    )
    head = Empnet(Inputs(videos.shape[-1], golden.number("frames")), config)
    load(without_dropout(head), golden, our_name)
    text = texts_of(golden)
    if not golden.evaluating:
        compared, class_stage = texts_compared(golden, text), head.class_stage
        head.class_stage = lambda stored, _: class_stage(stored, compared)
    episode = TrainingEpisode(
        golden.number("way"),
        golden.number("shot"),
        head.store({"tokens": videos}),
        golden.training_classes(),
        text,
    )
    logits, losses = golden.decided(head, episode)
    total = sum(head.loss_weights()[name] * loss for name, loss in losses.items()) / golden.value("loss_divisor", 1.0)
    golden.backward(total)
    scores = head.episode_stage(*head.staged(episode))
    by_text = head.class_stage(episode.stored, text[episode.classes])["text"].softmax(dim=1)
    outputs = {
        "out_final": golden.in_file_order(logits.exp()),
        "loss_support": losses["few_shot"],
        "loss_text": losses["text"],
        "loss_total": total,
    }
    for theirs, grain in PUBLIC_GRAINS.items():
        outputs[f"out_{theirs}_logits"] = golden.in_file_order(scores[grain][0])
        outputs[f"out_{theirs}_class_logits"] = golden.to_file_order(by_text[..., GRAINS.index(grain)])
    return Computed(outputs, head, gradients(head, golden, our_name))
