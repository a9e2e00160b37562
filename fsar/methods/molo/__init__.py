"""MoLo."""
