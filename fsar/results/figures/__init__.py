"""Figures: a file per figure, which collects its data into a table and draws from that table alone.

A file has `collect`, which returns the data as a table, and `draw`, which turns such a table into a figure.
To draw again from the data beside a figure, in another style or size:

    python -m fsar.results.figures.drawing accuracy results/figures/accuracy.parquet mine.pdf
"""
