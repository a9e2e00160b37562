"""Encode every test or validation video once, under one model."""

from pathlib import Path

from fsar.config import load
from fsar.evaluation.features import encode_split, load_encoder
from fsar.evaluation.made_from import encoding
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.model.backbone import load_backbone
from fsar.plan import paths

files, names = snakemake.input, snakemake.wildcards
with logged(snakemake.log[0], measured=paths.FEATURES_TIME.format(**names)):
    config = load(snakemake.config)
    settings = config.of(names.benchmark, names.backbone, names.model).for_stage("encode_features")
    with own_gpus(1, settings.device):
        trained = Path(files.trained[0]) if files.trained else None
        encode_split(
            load_encoder(load_backbone(settings.backbone, trained=bool(files.trained)), settings, trained),
            settings,
            Path(files.manifest),
            Path(files.index),
            Path(snakemake.output.features),
            encoding(settings.decisive("encode_features"), settings.seed, files, files.trained),
            names.split,
        )
