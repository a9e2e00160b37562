"""Put the parts of a model's tests together."""

from pathlib import Path

from fsar.evaluation.evaluate import gather_predictions
from fsar.job import logged

with logged(snakemake.log[0]):
    gather_predictions([Path(part) for part in snakemake.input.parts], Path(snakemake.output.predictions))
