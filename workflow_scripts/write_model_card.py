"""Write the card of one trained model."""

from pathlib import Path

from fsar.job import logged
from fsar.results.model_card import write_model_card
from fsar.results.table import Setting

with logged(snakemake.log[0]):
    params = snakemake.params
    write_model_card(
        Path(snakemake.input.training),
        [Setting(**setting) for setting in params.settings],
        params.title,
        params.citation,
        {"videos": params.data_licence, "weights": params.weights_licence},
        Path(snakemake.output.card),
    )
