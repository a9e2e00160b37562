"""Train the demo's small CLIP."""

from pathlib import Path

import torch

from fsar.config import SmallClipConfig, load
from fsar.job import logged
from fsar.training.small_clip import train_small_clip

with logged(snakemake.log[0]):
    torch.set_num_threads(1)  # as the rule states; the same number gives the same weights
    small_clip = load(snakemake.config).small_clips[snakemake.wildcards.small_clip]
    decisive = SmallClipConfig(**small_clip.decisive("train_small_clip"))
    train_small_clip(Path(snakemake.input.stills), decisive, Path(snakemake.output.weights))
