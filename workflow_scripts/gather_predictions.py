"""Put the parts of a model's tests together."""

from pathlib import Path

from fsar.evaluation.evaluate import PlannedTest, gather_predictions
from fsar.job import logged

with logged(snakemake.log[0]):
    pairs = zip(snakemake.params.tests, snakemake.input.episodes, strict=True)
    gather_predictions(
        [Path(part) for part in snakemake.input.parts],
        [PlannedTest(**test, episodes=Path(episodes)) for test, episodes in pairs],
        Path(snakemake.output.predictions),
    )
