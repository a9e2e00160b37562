"""A small training: its world of videos, its job, and what it leaves."""

from dataclasses import replace

import pandas as pd
import torch
from safetensors.torch import save_file

from fsar.config import FramesConfig, SamplingConfig, TrainingConfig
from fsar.episodes.stored import draw_episodes
from fsar.files import write_parquet
from fsar.methods import MODELS
from fsar.model.open_clip_backbone import random_clip
from fsar.sources.manifest import SCHEMA
from fsar.training.checkpoint import Checkpoint
from fsar.training.encode_stored import encode_training
from fsar.training.fit import fit
from fsar.training.job import TrainingFiles, TrainingJob
from fsar.training.metrics import MACHINE_COLUMNS
from fsar.videos.shards import shard_name
from fsar.videos.store_index import gather_index
from fsar.videos.store_write import write_shard
from tests.helpers.small_models import backbone_section, small_adapters, small_backbone, small_head, small_text
from tests.helpers.videos import make_video


def make_training_world(folder):
    """Make a frame store of 8 classes × 4 videos, validation episodes, and random weights."""
    rows = []
    for number in range(32):
        name = f"class {number // 4} ({number}).mp4"
        make_video(folder / name, 9)
        split = "train" if number < 16 else "val"
        rows.append((name, str(folder / name), f"class {number // 4}", split, "test", ""))
    write_parquet(folder / "manifest.parquet", pd.DataFrame(rows, columns=SCHEMA.names), SCHEMA)
    config = FramesConfig(size=72, shards=1)
    write_shard(
        pd.read_parquet(folder / "manifest.parquet"), 0, config, folder / shard_name(0), folder / "shard.parquet"
    )
    gather_index(folder / "manifest.parquet", [folder / "shard.parquet"], 0.0, folder / "index.parquet")
    draw_episodes(folder / "manifest.parquet", folder / "index.parquet", "val", 3, 1, 1, 10, 0, folder / "val.parquet")
    torch.manual_seed(0)
    for name in ("small-clip", "small-vit-clip"):
        save_file(random_clip(name).state_dict(), folder / f"{name}.safetensors")
    return folder


def job_and_files(world, name, model="clip-fsar", **training):
    """A small training job, and its files with the outputs in the folder `name`."""
    settings = {
        "way": 3, "queries": 1, "iterations": 12, "tasks_per_step": 2, "learning_rate": 1e-3, "warmup_from": 1e-4,
        "warmup_iterations": 4, "milestones": [8], "validate_every": 4, "checkpoint_minutes": 0, "threads": 1,
        "workers": 0,
    } | training  # fmt: skip
    parts = MODELS[model]
    backbone = small_backbone(parts)
    job = TrainingJob(
        model=model,
        benchmark="small",
        backbone_name=backbone,
        components=parts,
        backbone=backbone_section(backbone, world),
        sampling=SamplingConfig(),
        text=small_text(parts),
        head=small_head(parts),
        adapters=small_adapters(parts),
        training=TrainingConfig(**settings),
        training_seed=1,
        seed=0,
        device="cpu",
    )
    files = TrainingFiles(
        manifest=world / "manifest.parquet",
        index=world / "index.parquet",
        episodes=world / "val.parquet",
        decisive=[world / "manifest.parquet"],
        code={"fsar/training/fit.py": "1"},
        output=world / name,
        checkpoint=world / "checkpoints" / f"{name}.pt",
        curves=world / "tensorboard" / name,
    )
    return job, files


def train(world, name, model="clip-fsar", features="", **training):
    """Train into the folder `name` and return the files there; on features that `encoded` has stored by a name."""
    job, files = job_and_files(world, name, model, **training)
    if features:
        files = replace(files, features=stored_files(world, features), features_made={"model": model})
    fit(job, files)
    return files


def stored_files(world, name):
    """Where the features of training and of validation videos are."""
    return tuple(world / f"{name}-{split}.safetensors" for split in ("train", "val"))


def encoded(world, name, model, **training):
    """A small training job of a head, and its files, with the features of its videos, which are encoded here."""
    job, files = job_and_files(world, name, model, **training)
    places, made = stored_files(world, name), {"model": model}
    encode_training(job.for_stage("encode_training"), files.manifest, files.index, *places, made)
    return job, replace(files, features=places, features_made=made)


def results_of(folder):
    """What a training leaves, without what only tells of the machine."""
    metrics = pd.read_parquet(folder / "metrics.parquet").drop(columns=MACHINE_COLUMNS)
    return (folder / "model.safetensors").read_bytes(), (folder / "training.json").read_bytes(), metrics.to_json()


def stop_after_saving(monkeypatch, number: int) -> None:
    """Let a training be stopped, as by Ctrl-C, right after its checkpoint of this number; later ones go on."""
    saves, save = [], Checkpoint.save

    def saved(self, state):
        save(self, state)
        saves.append(state["step"])
        if len(saves) == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", saved)
