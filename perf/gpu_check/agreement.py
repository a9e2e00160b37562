"""CPU against GPU: features of the same weights, and predictions on them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.config import SamplingConfig, TextConfig
from fsar.evaluation.encode_videos import EvaluationClips, encode_videos, load_clips
from fsar.evaluation.episode_logits import predict
from fsar.fabric import Float32, set_float32
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, load_weights
from fsar.model.open_clip_backbone import random_backbone
from fsar.model.text import encode_classes
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.small_training import Trained, job, train
from perf.gpu_check.world import SMALL, episodes, frames, videos

KINDS: tuple[Float32, ...] = ("fp32", "tf32")
# Videos of the large backbones, whose pictures a CPU encodes slowly.
FEW = 4
# Of the largest feature: what two orders of the same sums may differ by in fp32, and the share of other predictions.
NEAR, CHANGED = 1e-3, 0.01


class Seen(NamedTuple):
    """What a device makes of the test videos: (V, T, D) features, and (E, N, Q) predicted labels."""

    features: Tensor
    predicted: NDArray[np.int64]


def look_at_agreement(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Compare a trained small model's features and predictions, and the features of the large backbones."""
    trained = train(data, sizes, device.name, "trained", iterations=sizes.trained, validate_every=sizes.trained)
    on_cpu = seen(data, sizes, trained, "cpu", "fp32")
    for float32 in KINDS:
        own = seen(data, sizes, trained, device.name, float32)
        difference = relative(own.features, on_cpu.features)
        changed = int((own.predicted != on_cpu.predicted).sum())
        total = own.predicted.size
        findings.row("agreement", backbone=f"{SMALL}, trained", arithmetic=float32, largest_difference=difference,
                     changed_predictions=changed, predictions=total)  # fmt: skip
        if float32 == "fp32":
            findings.check("features in fp32 are near the CPU's", difference < NEAR, f"{difference:.1e} of the largest")
            findings.check("predictions in fp32 are the CPU's but for ties", changed <= CHANGED * total, str(changed))
    for backbone, architecture in sizes.backbones.items():
        torch.manual_seed(0)
        model = random_backbone(architecture).eval()
        few, sampling = list(videos(data, "test")["video_id"])[:FEW], SamplingConfig(frames=sizes.frames)
        clips = EvaluationClips(frames(data, "large"), few, sampling, model.image_size, 0)
        pixels = torch.stack([clips[number] for number in range(len(clips))])
        with torch.inference_mode():
            slow = model(pixels)
            model.to(device.torch)
            for float32 in KINDS:
                set_float32(float32)
                difference = relative(model(pixels.to(device.torch)).cpu(), slow)
                findings.row("agreement", backbone=backbone, arithmetic=float32, largest_difference=difference)
                if float32 == "fp32":
                    told = f"{difference:.1e} of the largest"
                    findings.check(f"{backbone}: features in fp32 are near the CPU's", difference < NEAR, told)


@torch.inference_mode()
def seen(data: Path, sizes: Sizes, trained: Trained, device: str, float32: Float32) -> Seen:
    """Encode the test videos and predict all test episodes."""
    set_float32(float32)
    where, about, drawn = torch.device(device), job(data, sizes, device, "clip-fsar"), episodes(data, "test")
    model = FewShotModel(load_backbone(about.backbone), about.components, about.head)
    load_weights(model, trained.file)
    model = model.eval().to(where)
    size = model.backbone.image_size
    clips = load_clips(frames(data, "small"), drawn.video_ids, about.sampling, size, 0, where)
    stored = encode_videos(model.encode, clips, where)
    text = encode_classes(model.backbone, drawn.class_names, TextConfig())
    rows, classes = ({name: row for row, name in enumerate(names)} for names in (drawn.video_ids, drawn.class_names))
    there = {name: videos.to(where) for name, videos in stored.items()}
    return Seen(stored["frames"], predict(model.head, drawn, rows, there, classes, text))


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference, as a share of the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
