"""Collect the data of a figure, and draw it from that."""

from pathlib import Path

from fsar.job import logged
from fsar.results.figures.drawing import collect, draw

with logged(snakemake.log[0]):
    output, kind = snakemake.output, snakemake.params.kind
    collect(kind, snakemake.params.arguments, Path(output.data))
    draw(kind, Path(output.data), [Path(output.pdf), Path(output.svg), Path(output.png)])
