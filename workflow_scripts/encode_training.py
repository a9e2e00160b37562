"""Encode every training video, in each of its views, and every validation video, under a backbone as it is."""

from pathlib import Path

from fsar.config import load
from fsar.evaluation.made_from import training_encoding
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.training.encode_stored import encode_training

files, names, output = snakemake.input, snakemake.wildcards, snakemake.output
with logged(snakemake.log[0]):
    merged = load(snakemake.config).of(names.benchmark, names.backbone, names.model)
    settings = merged.for_stage("encode_training")
    with own_gpus(1, settings.device):
        encode_training(
            settings,
            Path(files.manifest),
            Path(files.index),
            Path(output.train),
            Path(output.val),
            training_encoding(merged, files),
        )
