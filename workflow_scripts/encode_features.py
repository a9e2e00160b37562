"""Encode every test video once, under one model."""

from pathlib import Path

from fsar.config import BackboneConfig, HeadConfig, SamplingConfig
from fsar.evaluation.features import encode_split
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.model.few_shot import load_model
from fsar.model.methods import Components

with logged(snakemake.log[0], measured=True):
    params, files = snakemake.params, snakemake.input
    backbone = BackboneConfig(**params.backbone)
    trained = Path(files.trained[0]) if files.trained else None
    model = load_model(backbone, Components(**params.components), HeadConfig(**params.head), trained)
    with own_gpus(1, params.device):
        encode_split(
            model.backbone,
            Path(files.manifest),
            Path(files.index),
            "test",
            SamplingConfig(**params.sampling),
            backbone.prompt,
            params.data_seed,
            params.device,
            params.threads,
            Path(snakemake.output.features),
        )
