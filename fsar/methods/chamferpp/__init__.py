"""Chamfer++."""
