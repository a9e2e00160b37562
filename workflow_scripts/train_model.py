"""Train one model on one benchmark."""

from pathlib import Path

from fsar.config import EXECUTION_KEYS, BackboneConfig, HeadConfig, SamplingConfig, TrainingConfig, load
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.model.methods import Components
from fsar.training.fit import TrainingFiles, TrainingJob, fit

with logged(snakemake.log[0]):
    params, files, names = snakemake.params, snakemake.input, snakemake.wildcards
    # How the job is run is no parameter: another number of workers trains nothing again.
    settings = load(snakemake.config).settings(names.benchmark, "training", names.backbone)
    execution = {key: settings[key] for key in EXECUTION_KEYS}
    job = TrainingJob(
        name=names.method,
        components=Components(**params.components),
        backbone=BackboneConfig(**params.backbone),
        sampling=SamplingConfig(**params.sampling),
        head=HeadConfig(**params.head),
        training=TrainingConfig(**params.training, **execution),
        seed=int(names.seed),
        data_seed=params.data_seed,
        device=params.device,
    )
    with own_gpus(job.training.devices, job.device):
        fit(
            job,
            TrainingFiles(
                manifest=Path(files.manifest),
                index=Path(files.index),
                episodes=Path(files.episodes),
                code=params.code,
                decisive=[Path(p) for p in (files.manifest, files.index, files.episodes, *files.weights)],
                output=Path(snakemake.output.weights).parent,
                checkpoint=Path(params.checkpoint),
                tensorboard=Path(params.tensorboard),
            ),
        )
