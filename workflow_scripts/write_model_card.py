"""Write the card of one trained model."""

from pathlib import Path

from fsar.job import logged
from fsar.results.model_card import write_model_card

with logged(snakemake.log[0]):
    params = snakemake.params
    write_model_card(
        Path(snakemake.input.training),
        params.settings,
        params.method["title"],
        params.method["citation"],
        {name: params.method[name] for name in ("code", "deviations", "code_selection")},
        dict(params.licences),
        dict(params.saw),
        Path(snakemake.output.card),
    )
