"""Ask each place of the files that a run fetches, and say which would be used."""

from fsar.config import load
from fsar.job import logged
from fsar.plan.sources import files_to_fetch
from fsar.sources.answers import answers, check_answers, show

with logged(snakemake.log[0]):
    config = load(snakemake.config)
    table = answers(files_to_fetch(config), config.sources.timeout)
    show(table)
    check_answers(table)
