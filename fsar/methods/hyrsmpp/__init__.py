"""HyRSM++."""
