"""CLIP-SPM."""
