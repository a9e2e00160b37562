"""Train an encoder of video of the demo's own."""

from pathlib import Path

import torch

from fsar.config import SmallVideoConfig, load
from fsar.job import logged
from fsar.training.small_video import train_small_video

with logged(snakemake.log[0]):
    torch.set_num_threads(1)  # as the rule states; the same number gives the same weights
    small_video = load(snakemake.config).small_videos[snakemake.wildcards.small_video]
    decisive = SmallVideoConfig(**small_video.decisive("train_small_video"))
    train_small_video(decisive, Path(snakemake.output.weights))
