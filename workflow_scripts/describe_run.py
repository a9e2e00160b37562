"""Describe what was run, with what and on what."""

from pathlib import Path

from fsar.config import load
from fsar.config.merge import effective
from fsar.job import logged
from fsar.results.run import describe_run

with logged(snakemake.log[0]):
    config = load(snakemake.config)
    describe_run(
        config.model_dump(),
        effective(config),
        [Path(path) for path in snakemake.input.counts],
        [Path(path) for path in snakemake.input.trainings],
        Path(snakemake.output.page),
        Path(snakemake.output.config),
    )
