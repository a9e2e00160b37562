"""OTAM and other matching metrics."""
