"""Write what holds over all deals of the demo."""

from pathlib import Path

from fsar.job import logged
from fsar.results.over_deals import write_over_deals

with logged(snakemake.log[0]):
    write_over_deals(snakemake.params.settings, Path(snakemake.output.csv), Path(snakemake.output.markdown))
