"""Evaluate one model on the stored test episodes of one way and shot."""

from pathlib import Path

import torch

from fsar.config import HeadConfig
from fsar.evaluation.evaluate import evaluate_setting
from fsar.job import logged
from fsar.model.head import load_head

with logged(snakemake.log[0]):
    torch.set_num_threads(1)  # as the rule states; the same number gives the same digits
    files = snakemake.input
    evaluate_setting(
        load_head(
            snakemake.wildcards.method,
            HeadConfig(**snakemake.params.head),
            Path(files.features),
            Path(files.trained[0]) if files.trained else None,
        ),
        Path(files.features),
        Path(files.episodes),
        Path(snakemake.output.predictions),
    )
