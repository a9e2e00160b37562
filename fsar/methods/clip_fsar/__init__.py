"""CLIP-FSAR."""
