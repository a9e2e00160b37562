"""Train one model on one benchmark."""

import sys
from pathlib import Path

from fsar.config import load
from fsar.evaluation.made_from import training_encoding
from fsar.gpus import own_gpus, set_cublas_workspace
from fsar.job import logged
from fsar.nodes import is_task, start_tasks
from fsar.plan.code import code_checksums, code_inputs
from fsar.plan.imported import model_files
from fsar.plan.plan import Plan

with logged(snakemake.log[0]):
    params, files, names = snakemake.params, snakemake.input, snakemake.wildcards
    config = load(snakemake.config)
    settings = config.of(names.benchmark, names.backbone, names.model)
    set_cublas_workspace(settings.training.deterministic)
    from fsar.training.fit import fit  # which imports PyTorch
    from fsar.training.job import TrainingFiles, TrainingJob

    job = TrainingJob.of(settings, shot=int(names.shot), seed=int(names.seed))
    # Whose features of training videos are stored: the backbone's, for all heads that ask for the same.
    encoder = config.of(*Plan(config).training_encoder(names)[:3])
    # What this script imports; where it lies itself is known to Snakemake alone, which runs a copy of it.
    code = [*map(Path, code_inputs(Path(sys.argv[0]))), *model_files(job.backbone, job.components)]
    training_files = TrainingFiles(
        manifest=Path(files.manifest),
        index=Path(files.index),
        episodes=Path(files.episodes),
        code=code_checksums(*code),
        decisive=[Path(p) for p in (files.manifest, files.index, files.episodes, *files.backbone, *files.descriptions)],
        output=Path(snakemake.output.weights).parent,
        checkpoint=Path(params.checkpoint),
        features=(Path(files.features[0]), Path(files.features[1])) if files.features else None,
        features_made=training_encoding(encoder, files) if files.features else None,
        curves=Path("logs", job.training.logger, params.curves),
    )
    spread = job.training.spread()
    if spread.nodes > 1 and not is_task():
        start_tasks(spread.nodes, spread.devices, spread.threads)
    else:
        with own_gpus(spread.devices, job.device):
            fit(job, training_files)
