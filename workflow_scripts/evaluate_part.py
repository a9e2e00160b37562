"""Run a part of the tests of one model whose features depend on the episode."""

from pathlib import Path

from fsar.config import load
from fsar.evaluation.by_episode import evaluate_part
from fsar.evaluation.evaluate import PlannedTest
from fsar.evaluation.made_from import encoding
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, load_weights

with logged(snakemake.log[0]):
    files, names = snakemake.input, snakemake.wildcards
    settings = load(snakemake.config).of(names.benchmark, names.backbone, names.model).for_stage("evaluate_part")
    with own_gpus(1, settings.device):
        model = FewShotModel(
            load_backbone(settings.backbone, trained=True),
            settings.components,
            settings.head,
            settings.sampling.frames,
            adapters=settings.adapters,
        )
        load_weights(model, Path(files.trained[0]))
        pairs = zip(snakemake.params.tests, files.episodes, strict=True)
        evaluate_part(
            model,
            settings,
            [PlannedTest(**test, episodes=Path(episodes)) for test, episodes in pairs],
            Path(files.manifest),
            Path(files.index),
            (int(names.part), int(names.parts)),
            Path(snakemake.output.predictions),
            encoding(settings.decisive("evaluate_part"), settings.seed, files, files.trained),
        )
