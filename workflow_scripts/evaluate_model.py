"""Run all tests of one model: every method that decides with it, every way and shot."""

from pathlib import Path
from types import SimpleNamespace

from fsar.config import load
from fsar.evaluation.evaluate import PlannedTest, evaluate_model
from fsar.evaluation.load_head import load_head
from fsar.evaluation.made_from import encoding, with_weights
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.plan.plan import Plan

with logged(snakemake.log[0]):
    files, names = snakemake.input, snakemake.wildcards
    config = load(snakemake.config)
    settings = config.of(names.benchmark, names.backbone, names.model).for_stage("evaluate_model")
    # The features may be those of another model: of the backbone as it is, for a head alone.
    plan = Plan(config)
    encoder = config.of(*plan.encoder(names)[:3])
    expected = encoding(encoder.decisive("encode_features"), encoder.seed, files, files.encoder)
    expected_to_choose = expected
    if files.validation_manifest:  # validation classes are those of another benchmark
        chosen_on = config.of(*plan.encoder(plan.chosen_on(names))[:3])
        data = {"manifest": files.validation_manifest[0], "index": files.validation_index[0]}
        own = SimpleNamespace(backbone=files.backbone, descriptions=files.descriptions, **data)
        expected_to_choose = encoding(chosen_on.decisive("encode_features"), chosen_on.seed, own, files.encoder)
    pairs = zip(snakemake.params.tests, files.episodes, strict=True)
    features = Path(files.features)
    trained = Path(files.trained[0]) if files.trained else None
    known = files.validation_features  # where they choose how much class names count
    with own_gpus(1, settings.device):
        evaluate_model(
            load_head(settings.components, settings.head, features, trained),
            [PlannedTest(**test, episodes=Path(episodes)) for test, episodes in pairs],
            features,
            Path(snakemake.output.predictions),
            settings.device,
            settings.training.threads,
            expected,
            with_weights(expected, files.trained),
            (Path(known[0]), [Path(path) for path in files.validation_episodes]) if known else None,
            expected_to_choose,
        )
