"""Figures: a file per figure, which collects its data into a table and draws from that table alone.

A file has `collect`, which returns the data as a table, and `draw`, which turns such a table into a figure.
To draw again from the data beside a figure, in another style or size:

    fsar draw accuracy results/figures/accuracy.parquet mine.pdf
"""
