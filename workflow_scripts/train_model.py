"""Train one model on one benchmark."""

import sys
from pathlib import Path

from fsar.config import BackboneConfig, SamplingConfig, TextConfig, TrainingConfig, load
from fsar.gpus import own_gpus, set_cublas_workspace
from fsar.job import logged
from fsar.methods import Components
from fsar.methods.record import adapter_section, head_section
from fsar.nodes import is_task, start_tasks
from fsar.plan.code import code_checksums, code_inputs
from fsar.plan.plan import model_files
from fsar.plan.shown import values_of

with logged(snakemake.log[0]):
    params, files, names = snakemake.params, snakemake.input, snakemake.wildcards
    # How the job is run is no parameter: another number of workers trains nothing again.
    config = load(snakemake.config)
    execution = config.settings(names.benchmark, "training", names.backbone, names.model).execution()
    set_cublas_workspace(execution["deterministic"])
    from fsar.training.fit import fit  # which imports PyTorch
    from fsar.training.job import TrainingFiles, TrainingJob

    backbone, components = BackboneConfig(**params.backbone), Components(**params.components)
    job = TrainingJob(
        model=names.model,
        benchmark=names.benchmark,
        backbone_name=names.backbone,
        components=components,
        backbone=backbone,
        sampling=SamplingConfig(**params.sampling),
        text=TextConfig(**params.text),
        head=head_section(components.head)(**params.head),
        adapters=adapter_section(components.adapters)(**params.adapters) if components.adapters else None,
        training=TrainingConfig(**{**values_of(params, "training"), "shot": int(names.shot)}, **execution),
        seed=int(names.seed),
        data_seed=params.data_seed,
        device=config.device,
        frames=config.settings(names.benchmark, "frames"),
    )
    # What this script imports; where it lies itself is known to Snakemake alone, which runs a copy of it.
    code = [*map(Path, code_inputs(Path(sys.argv[0]))), *model_files(backbone, components)]
    training_files = TrainingFiles(
        manifest=Path(files.manifest),
        index=Path(files.index),
        episodes=Path(files.episodes),
        code=code_checksums(*code),
        decisive=[Path(p) for p in (files.manifest, files.index, files.episodes, *files.backbone, *files.descriptions)],
        output=Path(snakemake.output.weights).parent,
        checkpoint=Path(params.checkpoint),
        curves=Path("logs", job.training.logger, params.curves),
    )
    spread = job.training.spread()
    if spread.nodes > 1 and not is_task():
        start_tasks(spread.nodes, spread.devices, spread.threads)
    else:
        with own_gpus(spread.devices, job.device):
            fit(job, training_files)
