"""Ask each place of the files that a run fetches, and say which would be used."""

from fsar.config import load
from fsar.job import logged
from fsar.plan.sources import files_to_fetch, lists_of_archives
from fsar.sources.answers import answers, answers_of_archives, check_answers, show
from fsar.sources.download import Patience
from fsar.sources.places import places_of

with logged(snakemake.log[0]):
    config = load(snakemake.config)
    patience = Patience.of(config.sources)
    table = answers(files_to_fetch(config), patience.timeout)
    show(table)
    check_answers(table)
    if lists := lists_of_archives(config):
        table = answers_of_archives(lists, places_of(config.sources, "kinetics"), patience)
        show(table)
        check_answers(table)
