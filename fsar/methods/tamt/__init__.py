"""TAMT."""
