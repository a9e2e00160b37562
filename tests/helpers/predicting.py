"""A small world to predict in: clips of three classes, a CLIP with random weights, and a trained model's folder."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from fsar.config import BackboneConfig, FramesConfig, MergedConfig, TrainingConfig
from fsar.files import write_json
from fsar.keys.declare import Section
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_clip
from fsar.model.trained_file import save_weights
from fsar.training.job import TrainingJob
from tests.helpers.small_models import backbone_section, small_adapters, small_backbone, small_head
from tests.helpers.videos import make_video
from tests.helpers.workflow import VARIABLES

CLASSES = ("closing a door", "opening a door", "waving")
SHOTS = 4
FRAMES = FramesConfig(size=72)
HEAD = ClipFsarConfig(feed_forward=64)
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class World:
    """Where things are.

    Attributes:
        folder: everything else lies in it.
        backbone: weights of a small CLIP.
        model: a trained model's folder, of the model clip-fsar.
        examples: a folder with a sub-folder per class, `SHOTS` clips each.
    """

    folder: Path
    backbone: Path
    model: Path
    examples: Path


def make_world(folder: Path) -> World:
    """Make the small world."""
    examples = folder / "examples"
    for number, name in enumerate(CLASSES):
        (examples / name).mkdir(parents=True)
        for shot in range(SHOTS):
            make_video(examples / name / f"{number}{shot} [a] !.mp4", 14 + 5 * shot)
    return World(folder, make_clip(folder), make_model(folder, "clip-fsar"), examples)


def make_clip(folder: Path, name: str = "small-clip") -> Path:
    """Write the weights of a small CLIP, left to chance."""
    path = folder / f"{name}.safetensors"
    if not path.exists():
        torch.manual_seed(0)
        clip = random_clip(name)
        with torch.no_grad():
            # Statistics of normalisation, without which all pictures have nearly the same features.
            for _ in range(20 if name == "small-clip" else 0):
                clip.visual(torch.randn(16, 3, 1, 1) + 0.3 * torch.randn(16, 3, 64, 64))
        save_file(clip.state_dict(), path)
    return path


def head_of(model: str) -> Section:
    """The settings of a model's head, small."""
    return small_head(MODELS[model])


def backbone_of(folder: Path, model: str) -> BackboneConfig:
    """The small CLIP that a model is of: one with a ViT where adapters are put into it."""
    name = small_backbone(MODELS[model])
    if not MODELS[model].for_video:
        make_clip(folder, name)
    return backbone_section(name, folder)


def merged_config(folder: Path, model: str, **own: object) -> MergedConfig:
    """Everything that holds for a small model, tested on one thread of the CPU."""
    parts = {"components": MODELS[model], "head": head_of(model), "adapters": small_adapters(MODELS[model])}
    names = {"benchmark": "tiny", "backbone_name": "small-clip", "model": model, "seed": 0, "device": "cpu"}
    training = TrainingConfig(threads=1, workers=0, float32="fp32")
    return MergedConfig(**names | parts | {"backbone": backbone_of(folder, model), "training": training} | own)


def make_model(
    folder: Path, model: str, head: ClipFsarConfig | None = None, backbone: BackboneConfig | None = None
) -> Path:
    """Write the folder of a trained model: what training leaves, with weights left to chance."""
    head = head or head_of(model)
    backbone, adapters = backbone or backbone_of(folder, model), small_adapters(MODELS[model])
    parts = {"components": MODELS[model], "backbone": backbone, "head": head, "adapters": adapters}
    names = {"benchmark": "tiny", "backbone_name": "small-clip", "model": model}
    job = TrainingJob(**names, **parts, frames=FRAMES, training_seed=1, seed=0)
    torch.manual_seed(1)
    trained = FewShotModel(load_backbone(backbone), job.components, head, adapters=adapters)
    for parameter in (trained.backbone.adapters or trained.backbone.visual).parameters():
        parameter.data.add_(0.01 * torch.randn_like(parameter))  # no longer the pretrained ones
    path = folder / "models" / model
    save_weights(trained.trained_state(), path / "model.safetensors")
    write_json(
        path / "training.json",
        job.described()
        | {"resumed_with_other_code": []}
        | {"selection": {"split": "val", "iteration": 4, "accuracy": 0.5}, "environment": {"torch": "any"}}
        | {"videos": {split: {"classes": 4, "videos": 16} for split in ("train", "val")}},
    )
    return path


def fsar(*arguments: str | Path, folder: Path = REPOSITORY, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run the command `fsar` as a user does, in a folder."""
    paths = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-m", "fsar", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **VARIABLES, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == code, run.stdout + run.stderr
    return run
