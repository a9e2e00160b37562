"""MML-FSAR."""
