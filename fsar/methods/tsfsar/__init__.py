"""TS-FSAR."""
