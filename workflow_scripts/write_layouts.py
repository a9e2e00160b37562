"""Write the paper's tables."""

from pathlib import Path

from fsar.job import logged
from fsar.results.comparisons import compare_all
from fsar.results.layout import Layout
from fsar.results.layout_tables import write_layout

with logged(snakemake.log[0]):
    compared = compare_all(snakemake.params.settings)
    output = snakemake.output
    for values, *paths in zip(snakemake.params.layouts, output.csv, output.markdown, output.latex, strict=True):
        write_layout(Layout(**values), compared, *(Path(path) for path in paths))
