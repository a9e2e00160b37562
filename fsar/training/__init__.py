"""Training: the learning-rate schedule, the loop, and checkpoints from which a run continues exactly."""
