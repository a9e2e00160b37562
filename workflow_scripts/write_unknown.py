"""Write how well methods tell unknown queries from known ones."""

from pathlib import Path

from fsar.job import logged
from fsar.results.unknown import write_unknown

with logged(snakemake.log[0]):
    write_unknown(
        snakemake.params.settings,
        snakemake.params.measures,
        Path(snakemake.output.csv),
        Path(snakemake.output.markdown),
    )
