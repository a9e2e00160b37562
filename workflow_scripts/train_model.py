"""Train one method on one benchmark."""

from pathlib import Path

from fsar.config import BackboneConfig, HeadConfig, SamplingConfig, TrainingConfig
from fsar.job import logged
from fsar.training.fit import TrainingData, TrainingJob, fit

with logged(snakemake.log[0]):
    params, files = snakemake.params, snakemake.input
    job = TrainingJob(
        method=snakemake.wildcards.method,
        backbone=BackboneConfig(**params.backbone),
        sampling=SamplingConfig(**params.sampling),
        head=HeadConfig(**params.head),
        training=TrainingConfig(**params.training),
        seed=int(snakemake.wildcards.seed),
        data_seed=params.data_seed,
        device=params.device,
    )
    data = TrainingData(
        manifest=Path(files.manifest),
        index=Path(files.index),
        frames=Path(files.index).parent,
        episodes=Path(files.episodes),
    )
    fit(
        job,
        data,
        output=Path(snakemake.output.weights).parent,
        checkpoints=Path(params.checkpoints),
        identity=[Path(path) for path in (files.manifest, files.index, files.episodes, *files.weights, *files.code)],
    )
