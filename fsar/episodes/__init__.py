"""Episodes: drawn once and stored for validation and test, a pure function of (seed, step) for training."""
