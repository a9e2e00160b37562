"""Encode every test video once, under one model."""

from pathlib import Path

from fsar.config import BackboneConfig, SamplingConfig, TextConfig, TrainingConfig, load
from fsar.evaluation.features import encode_split, load_encoder
from fsar.evaluation.made_from import encoding
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.methods import Components
from fsar.methods.record import adapter_section, head_section
from fsar.model.backbone import load_backbone

with logged(snakemake.log[0], measured=True):
    params, files, names = snakemake.params, snakemake.input, snakemake.wildcards
    config = load(snakemake.config)
    with own_gpus(1, config.device):
        components = Components(**params.components)
        sampling = SamplingConfig(**params.sampling)
        encode_split(
            load_encoder(
                load_backbone(BackboneConfig(**params.backbone), trained=bool(files.trained)),
                components,
                head_section(components.head)(**params.head),
                sampling.frames,
                Path(files.trained[0]) if files.trained else None,
                adapter_section(components.adapters)(**params.adapters) if components.adapters else None,
            ),
            Path(files.manifest),
            Path(files.index),
            "test",
            sampling,
            TextConfig(**params.text),
            params.data_seed,
            config.device,
            TrainingConfig(**params.training).float32,
            config.settings(names.benchmark, "training", names.backbone, names.model).threads,
            Path(snakemake.output.features),
            components.each_text,
            encoding(params, files, files.trained),
        )
