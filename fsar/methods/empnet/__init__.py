"""EMP-Net."""
