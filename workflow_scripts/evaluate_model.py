"""Run all tests of one model: every method that decides with it, every way and shot."""

from pathlib import Path

from fsar.config import load
from fsar.evaluation.evaluate import PlannedTest, evaluate_model
from fsar.evaluation.load_head import load_head
from fsar.evaluation.made_from import encoding, with_weights
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.methods import Components
from fsar.methods.record import head_section

with logged(snakemake.log[0]):
    params, files, names = snakemake.params, snakemake.input, snakemake.wildcards
    config = load(snakemake.config)
    pairs = zip(params.tests, files.episodes, strict=True)
    features = Path(files.features)
    trained = Path(files.trained[0]) if files.trained else None
    components = Components(**params.components)
    expected = encoding(params.encoded, files, files.encoder)
    with own_gpus(1, config.device):
        evaluate_model(
            load_head(components, head_section(components.head)(**params.head), features, trained),
            [PlannedTest(**test, episodes=Path(episodes)) for test, episodes in pairs],
            features,
            Path(snakemake.output.predictions),
            config.device,
            config.settings(names.benchmark, "training", names.backbone, names.model).threads,
            expected,
            with_weights(expected, files.trained),
        )
