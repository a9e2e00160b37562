"""Train the demo's small CLIP."""

from pathlib import Path

import torch

from fsar.config import SmallClipConfig
from fsar.job import logged
from fsar.sources.demo.small_clip import train_small_clip

with logged(snakemake.log[0]):
    torch.set_num_threads(1)  # as the rule states; the same number gives the same weights
    train_small_clip(
        Path(snakemake.input.stills), SmallClipConfig(**snakemake.params.small_clip), Path(snakemake.output.weights)
    )
