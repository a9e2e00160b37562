"""Encode every test video once, under one model."""

from pathlib import Path

from fsar.config import BackboneConfig, SamplingConfig, TextConfig, TrainingConfig, load
from fsar.evaluation.features import encode_split
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.model.backbone import load_backbone

with logged(snakemake.log[0], measured=True):
    params, files, names = snakemake.params, snakemake.input, snakemake.wildcards
    config = load(snakemake.config)
    with own_gpus(1, config.device):
        backbone = load_backbone(BackboneConfig(**params.backbone))
        if files.trained:
            backbone.load_visual(Path(files.trained[0]))
        encode_split(
            backbone,
            Path(files.manifest),
            Path(files.index),
            "test",
            SamplingConfig(**params.sampling),
            TextConfig(**params.text),
            params.data_seed,
            config.device,
            TrainingConfig(**params.training).float32,
            config.settings(names.benchmark, "training", names.backbone).threads,
            Path(snakemake.output.features),
        )
