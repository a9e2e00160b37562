"""Training: the learning-rate schedule, the loop, and checkpoints that lose nothing."""
