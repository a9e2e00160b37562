"""HyRSM."""
