"""SAFSAR."""
