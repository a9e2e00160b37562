"""CLIP-FSAR, from raw videos to comparison tables: every piece of logic of the workflow, usable without Snakemake."""

__version__ = "0.1.0"
