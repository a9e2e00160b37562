"""Run a part of the tests of one model whose features depend on the episode."""

from pathlib import Path

from fsar.config import (
    BackboneConfig,
    SamplingConfig,
    TextConfig,
    TrainingConfig,
    load,
)
from fsar.evaluation.by_episode import evaluate_part
from fsar.evaluation.evaluate import PlannedTest
from fsar.evaluation.made_from import encoding
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.methods import Components
from fsar.methods.record import adapter_section, head_section
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, load_weights

with logged(snakemake.log[0]):
    params, files, names = snakemake.params, snakemake.input, snakemake.wildcards
    config = load(snakemake.config)
    components, sampling = Components(**params.components), SamplingConfig(**params.sampling)
    with own_gpus(1, config.device):
        model = FewShotModel(
            load_backbone(BackboneConfig(**params.backbone), trained=True),
            components,
            head_section(components.head)(**params.head),
            sampling.frames,
            adapters=adapter_section(components.adapters)(**params.adapters),
        )
        load_weights(model, Path(files.trained[0]))
        evaluate_part(
            model,
            [
                PlannedTest(**test, episodes=Path(episodes))
                for test, episodes in zip(params.tests, files.episodes, strict=True)
            ],
            Path(files.manifest),
            Path(files.index),
            sampling,
            TextConfig(**params.text),
            params.data_seed,
            (int(names.part), int(names.parts)),
            config.device,
            TrainingConfig(**params.training).float32,
            config.settings(names.benchmark, "training", names.backbone, names.model).threads,
            Path(snakemake.output.predictions),
            encoding(params, files, files.trained),
        )
