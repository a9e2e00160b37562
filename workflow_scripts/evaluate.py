"""Evaluate one method on the stored test episodes of one way and shot."""

from pathlib import Path

import torch

from fsar.config import HeadConfig
from fsar.evaluation.evaluate import evaluate_setting
from fsar.job import logged
from fsar.model.head import load_head
from fsar.model.methods import Components

with logged(snakemake.log[0]):
    torch.set_num_threads(1)  # as the rule states; the same number gives the same digits
    params, files = snakemake.params, snakemake.input
    evaluate_setting(
        load_head(
            Components(**params.components),
            HeadConfig(**params.head),
            Path(files.features),
            Path(files.trained[0]) if files.trained else None,
        ),
        params.decides_by,
        Path(files.features),
        Path(files.episodes),
        Path(snakemake.output.predictions),
    )
